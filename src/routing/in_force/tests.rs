//! What becomes of the rules when their file changes.

use std::fs;

use super::*;

const EMPTY: &str = "{\"routing\": []}";

fn rule(name: &str) -> String {
    format!(
        r#"{{ "routing": [ {{ "name": "{name}", "send": [ {{ ".*": {{ "IP": "a", "PORT": 104,
        "AETitleSender": "me", "AETitleTo": "A" }} }} ] }} ] }}"#
    )
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("routing.json")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn open(&self, required: bool) -> Result<Routes, RoutesError> {
        Routes::open(RoutesConfig {
            fixed: Vec::new(),
            site: Site::default(),
            file: self.file(),
            required,
            kept: self.0.path().join("store/routing.json"),
        })
    }
}

fn names(routes: &Routes) -> Vec<String> {
    routes.now().iter().map(|r| r.name.clone()).collect()
}

/// Two looks: the first that sees a change waits for the second.
fn look(routes: &Routes) {
    routes.look();
    routes.look();
}

#[test]
fn a_file_that_comes_changes_or_goes_is_noticed() {
    let place = Place::new();
    let routes = place.open(false).unwrap();
    look(&routes);
    assert!(names(&routes).is_empty() && routes.rules().refusal.is_none());
    place.write(&rule("one"));
    look(&routes);
    assert_eq!(names(&routes), ["one"]);
    place.write(&rule("another"));
    look(&routes);
    assert_eq!(names(&routes), ["another"]);
    fs::remove_file(place.file()).unwrap();
    look(&routes);
    assert_eq!(names(&routes), ["another"], "gone changes nothing");
    let why = routes.rules().refusal.unwrap().why;
    assert!(why.contains("is not there; the rules before stay"), "{why}");
    place.write(EMPTY);
    look(&routes);
    assert!(names(&routes).is_empty() && routes.rules().refusal.is_none());
}

#[test]
fn a_file_that_is_still_being_written_is_left_alone() {
    let place = Place::new();
    place.write(&rule("one"));
    let routes = place.open(false).unwrap();
    let next = rule("next");
    for end in [10, 40, 60] {
        place.write(&next[..end]);
        routes.look();
        assert!(routes.rules().refusal.is_none(), "judged at once");
    }
    place.write(&next);
    look(&routes);
    assert_eq!(names(&routes), ["next"]);
}

#[test]
fn a_wrong_file_is_refused_with_its_findings_and_the_rules_before_stay() {
    let place = Place::new();
    place.write(&rule("one"));
    let routes = place.open(false).unwrap();
    let before = routes.rules();
    place.write(&rule("two").replace("104", "\"x\""));
    look(&routes);
    let after = routes.rules();
    assert_eq!(names(&routes), ["one"]);
    assert_eq!((after.loaded_at, &after.text), (before.loaded_at, &before.text));
    let refusal = after.refusal.unwrap();
    assert_eq!(refusal.findings[0].rule.as_deref(), Some("two"));
    assert_eq!(refusal.findings[0].key, "send[0]..*.PORT");
    place.write(&rule("three"));
    look(&routes);
    assert_eq!(names(&routes), ["three"]);
    assert!(routes.rules().refusal.is_none());
}

#[test]
fn a_start_with_a_wrong_or_lost_file_goes_on_with_the_rules_it_had() {
    let place = Place::new();
    place.write(&rule("one"));
    drop(place.open(true).unwrap());
    place.write("{ \"routing\": [");
    let routes = place.open(true).unwrap();
    assert_eq!(names(&routes), ["one"]);
    assert!(routes.rules().refusal.unwrap().why.contains("no JSON"));
    fs::remove_file(place.file()).unwrap();
    let routes = place.open(true).unwrap();
    assert_eq!(names(&routes), ["one"]);
    assert!(routes.rules().refusal.is_some());
    place.write(&rule("two"));
    look(&routes);
    assert_eq!(names(&routes), ["two"]);
}

#[test]
fn a_start_without_any_rules_to_go_on_with_is_refused() {
    let place = Place::new();
    assert!(matches!(place.open(true), Err(RoutesError::Gone(_))));
    place.write("{ \"routing\": [ { \"send\": 1 } ] }");
    for required in [true, false] {
        let error = place.open(required).err().unwrap().to_string();
        assert!(error.contains("1:26: rule \"rule 1\": send:"), "{error}");
    }
}

#[test]
fn what_is_saved_is_in_force_at_once_and_what_is_wrong_is_not_written() {
    let place = Place::new();
    let routes = place.open(false).unwrap();
    routes.save(rule("saved").as_bytes()).unwrap();
    assert_eq!(names(&routes), ["saved"]);
    assert_eq!(fs::read_to_string(place.file()).unwrap(), rule("saved"));
    let error = routes.save(b"{").unwrap_err();
    assert!(matches!(error, RoutesError::Wrong { .. }));
    assert_eq!(fs::read_to_string(place.file()).unwrap(), rule("saved"));
    let loaded = routes.rules().loaded_at;
    look(&routes);
    assert_eq!(routes.rules().loaded_at, loaded, "its own writing is no change");
}

#[test]
fn what_people_keep_elsewhere_or_share_stays_so_when_rules_are_saved() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    let kept = place.0.path().join("site-rules.json");
    fs::write(&kept, rule("one")).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o664)).unwrap();
    symlink(&kept, place.file()).unwrap();
    let routes = place.open(true).unwrap();
    routes.save(rule("two").as_bytes()).unwrap();
    assert_eq!(names(&routes), ["two"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), rule("two"));
    assert!(fs::symlink_metadata(place.file()).unwrap().is_symlink());
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o664);
    look(&routes);
    assert_eq!(names(&routes), ["two"]);
}

#[test]
fn a_link_that_leads_to_itself_is_told_and_ends_as_it_began() {
    let place = Place::new();
    place.write(&rule("one"));
    let routes = place.open(true).unwrap();
    fs::remove_file(place.file()).unwrap();
    std::os::unix::fs::symlink(place.file(), place.file()).unwrap();
    look(&routes);
    assert_eq!(names(&routes), ["one"]);
    let why = routes.rules().refusal.unwrap().why;
    assert!(
        why.starts_with("look at") && why.ends_with("the rules before stay"),
        "{why}"
    );
    fs::remove_file(place.file()).unwrap();
    look(&routes);
    let why = routes.rules().refusal.unwrap().why;
    assert!(why.contains("is not there"), "{why}");
    place.write(&rule("two"));
    look(&routes);
    assert_eq!(names(&routes), ["two"]);
    assert!(routes.rules().refusal.is_none());
}
