//! `[classify]`

use std::path::PathBuf;

use crate::model::Reader;

/// `[classify]`: how it is told what a series is.
#[derive(Clone, Debug, Default)]
pub struct ClassifyConfig {
    /// `rules`: a file of classification rules, in the original's form. Default: rules for MR that are built in.
    pub rules: Option<PathBuf>,
}

pub(super) fn read(r: &Reader<'_>) -> ClassifyConfig {
    let config = ClassifyConfig {
        rules: r.text("rules", |text| match text {
            "" => Err("the name of a file"),
            name => Ok(PathBuf::from(name)),
        }),
    };
    r.deny_unknown();
    config
}
