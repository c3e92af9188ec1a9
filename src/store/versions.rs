//! A bucket's versions: the one before, the one that waits; and whether the site wants the bucket.

use rusqlite::{Connection, OptionalExtension, params};

use super::buckets::{SELECT, read};
use super::{BucketRow, Pending, Result, Store, StoreError};
use crate::model::AeTitle;

/// What there is of a bucket beside its version in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// What the site said: whether it takes studies; `None`: what its info.json says.
    pub enabled: Option<bool>,
    /// The version before, which a rollback brings back.
    pub previous: Option<BucketRow>,
    /// The version that takes over as soon as no run is under way.
    pub next: Option<BucketRow>,
}

impl Store {
    /// A bucket's other versions; nothing for one that is not installed.
    ///
    /// # Errors
    /// What SQLite says; [`StoreError::State`] for a row that cannot be read.
    pub fn versions(&self, ae_title: &AeTitle) -> Result<Versions> {
        self.read(|db| {
            let found: Option<(Option<bool>, Option<String>, Option<String>)> = db
                .prepare_cached("SELECT enabled, previous, next FROM buckets WHERE ae_title = ?1")?
                .query_row([ae_title.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((enabled, previous, next)) = found else {
                return Ok(Versions::default());
            };
            let version = |json: Option<String>| {
                json.map(|json| BucketRow::from_json(ae_title.clone(), &json))
                    .transpose()
            };
            Ok(Versions {
                enabled,
                previous: version(previous)?,
                next: version(next)?,
            })
        })
    }

    /// Keeps the version that takes over once no run is under way; one that waited already gives way to it.
    pub fn set_next_version(&self, row: BucketRow) -> Pending<()> {
        self.write(move |db| {
            let changed = db.execute(
                "UPDATE buckets SET next = ?2 WHERE ae_title = ?1",
                params![row.ae_title.as_str(), row.to_json().to_string()],
            )?;
            installed(&row.ae_title, changed)
        })
    }

    /// Puts the version that waits in force, and keeps the one before; answers what is in force then, `None` where none
    /// waited.
    pub fn take_next_version(&self, ae_title: &AeTitle) -> Pending<Option<BucketRow>> {
        let ae_title = ae_title.clone();
        self.write(move |db| take_next(db, &ae_title))
    }

    /// Whether the site wants a bucket to take studies.
    pub fn set_enabled(&self, ae_title: &AeTitle, enabled: bool) -> Pending<()> {
        let ae_title = ae_title.clone();
        self.write(move |db| {
            let changed = db.execute(
                "UPDATE buckets SET enabled = ?2 WHERE ae_title = ?1",
                params![ae_title.as_str(), enabled],
            )?;
            installed(&ae_title, changed)
        })
    }
}

fn take_next(db: &Connection, ae_title: &AeTitle) -> Result<Option<BucketRow>> {
    let next: Option<Option<String>> = db
        .query_row(
            "SELECT next FROM buckets WHERE ae_title = ?1",
            [ae_title.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    let Some(next) = next.flatten() else {
        return Ok(None);
    };
    let next = BucketRow::from_json(ae_title.clone(), &next)?;
    let current = db.query_row(
        &format!("{SELECT} WHERE ae_title = ?1"),
        [ae_title.as_str()],
        |row| Ok(read(row)),
    )??;
    // The same image once more is no other version: the one before stays the one before.
    let previous = (current.digest != next.digest).then(|| current.to_json().to_string());
    db.execute(
        "UPDATE buckets SET image = ?2, digest = ?3, info = ?4, has_plugin = ?5, installed_at = ?6, next = NULL, \
         previous = coalesce(?7, previous) WHERE ae_title = ?1",
        params![
            ae_title.as_str(),
            next.image,
            next.digest,
            next.info.to_string(),
            next.has_plugin,
            next.installed_at.0,
            previous,
        ],
    )?;
    Ok(Some(next))
}

fn installed(ae_title: &AeTitle, changed: usize) -> Result<()> {
    if changed == 0 {
        return Err(StoreError::State(format!(
            "no bucket is installed for AE title {ae_title}"
        )));
    }
    Ok(())
}
