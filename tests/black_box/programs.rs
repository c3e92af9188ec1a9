//! Each program says what it is for.

use crate::support::under_test::{BUCKETS, MAGICKBOX, MB, run};

#[test]
fn help_names_the_commands() {
    for (program, commands) in [
        (MAGICKBOX, ["serve", "conformance", "token"].as_slice()),
        (
            BUCKETS,
            &[
                "install", "rollback", "enable", "disable", "remove", "list", "logs", "memory", "run",
            ],
        ),
        (MB, &["push", "pull", "list", "log", "remove"]),
    ] {
        let ran = run(program, &["--help"]);
        assert_eq!(ran.code, Some(0), "{program}: {ran:#?}");
        for command in commands {
            assert!(
                ran.stdout.contains(command),
                "{program}: `{command}` is missing:\n{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn an_unknown_command_is_an_error() {
    for program in [MAGICKBOX, BUCKETS, MB] {
        assert_ne!(run(program, &["fly"]).code, Some(0), "{program}");
    }
}
