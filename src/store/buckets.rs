//! Rows of installed buckets; their versions are in `versions`.

use rusqlite::{OptionalExtension, Row, params};

use super::jobs::ae_title;
use super::{Pending, Result, Store, StoreError};
use crate::model::{AeTitle, Timestamp};

/// An installed bucket as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    /// The AE title it answers to.
    pub ae_title: AeTitle,
    /// The reference it was installed by, for people.
    pub image: String,
    /// `sha256:…` of the image; what runs.
    pub digest: String,
    /// info.json as the image carries it.
    pub info: serde_json::Value,
    /// Whether the image has a measures plugin.
    pub has_plugin: bool,
    /// When it was installed.
    pub installed_at: Timestamp,
}

impl BucketRow {
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "image": self.image,
            "digest": self.digest,
            "info": self.info,
            "has_plugin": self.has_plugin,
            "installed_at": self.installed_at.0,
        })
    }

    pub(super) fn from_json(ae_title: AeTitle, text: &str) -> Result<Self> {
        let broken = || StoreError::State(format!("the bucket kept with a job of {ae_title} cannot be read"));
        let kept: serde_json::Value = serde_json::from_str(text).map_err(|_| broken())?;
        let word = |key| {
            kept.get(key)
                .and_then(serde_json::Value::as_str)
                .map(str::to_owned)
                .ok_or_else(broken)
        };
        Ok(Self {
            image: word("image")?,
            digest: word("digest")?,
            info: kept.get("info").cloned().ok_or_else(broken)?,
            has_plugin: kept
                .get("has_plugin")
                .and_then(serde_json::Value::as_bool)
                .ok_or_else(broken)?,
            installed_at: Timestamp(
                kept.get("installed_at")
                    .and_then(serde_json::Value::as_i64)
                    .ok_or_else(broken)?,
            ),
            ae_title,
        })
    }
}

/// Whether a bucket was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is.
    Yes,
    /// There was none.
    NotThere,
    /// It has so many jobs that are not over, or whose results are not delivered.
    Busy(u64),
}

impl Store {
    /// Installs a bucket; with `replace`, in place of one with the same AE title.
    pub fn install_bucket(&self, row: BucketRow, replace: bool) -> Pending<()> {
        self.write(move |db| {
            // What the site said of it, and its other versions, stay.
            let clash = if replace {
                "DO UPDATE SET image = ?2, digest = ?3, info = ?4, has_plugin = ?5, installed_at = ?6"
            } else {
                "DO NOTHING"
            };
            let changed = db.execute(
                &format!(
                    "INSERT INTO buckets (ae_title, image, digest, info, has_plugin, installed_at) \
                     VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (ae_title) {clash}"
                ),
                params![
                    row.ae_title.as_str(),
                    row.image,
                    row.digest,
                    row.info.to_string(),
                    row.has_plugin,
                    row.installed_at.0
                ],
            )?;
            if changed == 0 {
                return Err(StoreError::State(format!("AE title {} is taken", row.ae_title)));
            }
            Ok(())
        })
    }

    /// Removes a bucket without open jobs: in one step, so that no object is taken for it from then on.
    pub fn remove_bucket(&self, ae_title: &AeTitle) -> Pending<Removed> {
        let (ae_title, now) = (ae_title.clone(), self.moment());
        self.write(move |db| {
            // With the bucket go its jobs' files: none of them may be wanted any more.
            let open: u64 = db.query_row(
                "SELECT count(*) FROM jobs j WHERE j.stream = ?1 AND j.removed_at IS NULL \
                 AND (j.state NOT IN ('done', 'failed', 'cancelled') OR (j.committed_at IS NOT NULL AND (j.committed_until IS NULL OR j.committed_until > ?2 OR j.committed_run > ?3)) \
                      OR EXISTS (SELECT 1 FROM deliveries d WHERE d.job = j.seq AND d.state NOT IN ('sent', 'committed', 'cancelled', 'not-needed')))",
                params![ae_title.as_str(), now.at.0, now.ran.0],
                |row| row.get(0),
            )?;
            if open > 0 {
                return Ok(Removed::Busy(open));
            }
            let removed = db.execute("DELETE FROM buckets WHERE ae_title = ?1", [ae_title.as_str()])?;
            super::retention::removed_with_bucket(db, &ae_title, now.at)?;
            Ok(if removed > 0 {
                Removed::Yes
            } else {
                Removed::NotThere
            })
        })
    }

    /// The installed buckets, by AE title.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn buckets(&self) -> Result<Vec<BucketRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY ae_title"))?;
            let mut rows = statement.query([])?;
            let mut buckets = Vec::new();
            while let Some(row) = rows.next()? {
                buckets.push(read(row)?);
            }
            Ok(buckets)
        })
    }

    /// One installed bucket.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn bucket(&self, ae_title: &AeTitle) -> Result<Option<BucketRow>> {
        self.read(|db| {
            db.prepare_cached(&format!("{SELECT} WHERE ae_title = ?1"))?
                .query_row([ae_title.as_str()], |row| Ok(read(row)))
                .optional()?
                .transpose()
        })
    }
}

pub(super) const SELECT: &str = "SELECT ae_title, image, digest, info, has_plugin, installed_at FROM buckets";

pub(super) fn read(row: &Row<'_>) -> Result<BucketRow> {
    let info: String = row.get(3)?;
    Ok(BucketRow {
        ae_title: ae_title(&row.get::<_, String>(0)?)?,
        image: row.get(1)?,
        digest: row.get(2)?,
        info: serde_json::from_str(&info)
            .map_err(|e| StoreError::State(format!("info.json of a bucket: {e}")))?,
        has_plugin: row.get(4)?,
        installed_at: Timestamp(row.get(5)?),
    })
}
