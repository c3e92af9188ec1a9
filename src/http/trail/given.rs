//! What an answer gives out of many jobs is told by study.

use super::Trail;
use crate::model::{AuditEvent, AuditStudy, AuditThing};
use crate::store::GivenOut;

impl Trail {
    /// The events of an answer that gives out many studies: one for each that the caller did not get the same way within a
    /// day.
    pub(super) fn naming(&self, event: &AuditEvent, who: &str, given: &GivenOut) -> Vec<AuditEvent> {
        let is_new = |(_, study): &&(String, AuditStudy)| !self.got.again(who, &got(event, study));
        let new: Vec<_> = given.named.iter().filter(is_new).collect();
        let mut said = Some(numbers(given, new.len()));
        let of = |(job, study): &(String, AuditStudy)| {
            let of = event
                .clone()
                .of_study(study.clone())
                .about(AuditThing::Job, job.as_str());
            of.saying(
                said.take()
                    .unwrap_or_else(|| "with the event before it".to_owned()),
            )
        };
        new.into_iter().map(of).collect()
    }

    /// The event of one that gives out what the caller has got before, or no study at all.
    pub(super) fn naming_newest(event: &AuditEvent, given: &GivenOut) -> AuditEvent {
        let event = event.clone().saying(numbers(given, given.named.len().min(1)));
        match given.named.first() {
            Some((job, study)) => event.of_study(study.clone()).about(AuditThing::Job, job.as_str()),
            None => event,
        }
    }
}

/// What a caller got: a study, and the way it got it, whatever it asked for there.
pub(super) fn got(event: &AuditEvent, study: &AuditStudy) -> String {
    let request = event.objects.iter().find(|o| o.what == AuditThing::Request);
    let way = request.and_then(|o| o.name.split('?').next()).unwrap_or_default();
    format!("{way}: {}", study.uid)
}

/// How many studies are given out, and which of them are named.
fn numbers(given: &GivenOut, told: usize) -> String {
    let (all, newest) = (given.studies, given.named.len());
    if usize::try_from(all).is_ok_and(|all| all == told) {
        return format!("{all} studies in all");
    }
    format!(
        "{all} studies in all, {told} named: of the {newest} newest those that were not given to the same caller within a day"
    )
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::super::served;
    use super::super::tests::asked;
    use super::*;
    use crate::store::{AuditFilter, Store};

    #[tokio::test]
    async fn who_looks_at_the_head_of_an_answer_is_given_no_study_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let given = GivenOut {
            named: vec![("j1".to_owned(), AuditStudy::default())],
            studies: 1,
        };
        let serving = async move { (axum::Extension(given), StatusCode::OK).into_response() };
        let asked = asked("HEAD", "/api/v1/buckets/A/measures");
        served(Trail::new(store.clone()), asked, serving).await;
        let filter = AuditFilter {
            limit: 9,
            ..AuditFilter::default()
        };
        let rows = store.audit_events(&filter).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.event.kind, row.event.study.is_some()))
            .collect();
        assert_eq!(told, [(crate::model::AuditKind::Accessed, false)]);
    }

    #[tokio::test]
    async fn what_is_given_out_of_many_studies_names_them_once_a_day_and_counts_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        let trail = Trail::new(store.clone());
        let study = |n: u64| AuditStudy {
            uid: format!("1.{n}"),
            patient_id: format!("P{n}"),
            ..AuditStudy::default()
        };
        for (studies, all) in [(1..3, 2), (1..3, 2), (1..4, 900)] {
            let given = GivenOut {
                named: studies.rev().map(|n| (format!("j{n}"), study(n))).collect(),
                studies: all,
            };
            let serving = async move { (axum::Extension(given), StatusCode::OK).into_response() };
            let asked = asked("GET", "/api/v1/buckets/A/measures");
            assert_eq!(
                served(trail.clone(), asked, serving).await.status(),
                StatusCode::OK
            );
        }
        let mut rows = store
            .audit_events(&AuditFilter {
                limit: 100,
                ..AuditFilter::default()
            })
            .unwrap();
        rows.sort_by_key(|row| row.id);
        let shown: Vec<_> = rows
            .iter()
            .map(|row| {
                let study = row.event.study.as_ref().unwrap();
                let text = row.event.text.as_deref().unwrap();
                (row.event.job().unwrap(), study.uid.as_str(), text)
            })
            .collect();
        let newest = "2 studies in all, 1 named: of the 2 newest those that were not given to the same caller within a day";
        let cut = "900 studies in all, 1 named: of the 3 newest those that were not given to the same caller within a day";
        assert_eq!(
            shown,
            [
                ("j2", "1.2", "2 studies in all"),
                ("j1", "1.1", "with the event before it"),
                ("j2", "1.2", newest),
                ("j3", "1.3", cut),
            ]
        );
    }
}
