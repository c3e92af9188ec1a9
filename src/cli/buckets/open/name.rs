//! The name under which an image is opened and saved.

use anyhow::{Result, bail};

/// `repository:tag`, as the developer named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Everything before the tag.
    pub repository: String,
    /// `latest` unless told.
    pub tag: String,
}

impl Name {
    /// Reads `NAME` or `NAME:TAG`. An id or a digest is no name: what is saved has to be called something.
    pub fn parse(text: &str) -> Result<Self> {
        let (repository, tag) = match text.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => (before, tag),
            _ => (text, "latest"),
        };
        let plain = |t: &str, more: &str| {
            !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if text.starts_with("sha256:") || text.contains('@') {
            bail!("{text:?} is no name: give the image one with `docker tag {text} NAME`, then open NAME");
        }
        if !plain(repository, "._-/:") || !is_tag(tag) {
            bail!("{text:?} is no name of an image: NAME or NAME:TAG, of letters, digits and . _ - /");
        }
        Ok(Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        })
    }

    /// The whole of it.
    pub fn full(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// As people say it: without `:latest`.
    pub fn short(&self) -> String {
        match self.tag.as_str() {
            "latest" => self.repository.clone(),
            _ => self.full(),
        }
    }

    /// The container it is open in. Two names never have the same: what a container's name cannot hold is written
    /// as `_` and its code.
    pub fn container(&self) -> String {
        let mut name = "magickbox-open-".to_owned();
        for c in self.short().chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => name.push(c),
                other => name.push_str(&format!("_{:02x}", u32::from(other))),
            }
        }
        name
    }

    /// What the prompt shows as the machine's name.
    pub fn hostname(&self) -> String {
        let last = self.repository.rsplit('/').next().unwrap_or_default();
        let plain: String = last
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(40)
            .collect();
        match plain.trim_matches('-') {
            "" => "bucket".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// Whether a text can be the tag of an image.
pub(super) fn is_tag(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 128
        && chars.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_registry_with_a_port_and_a_tag() {
        let name = Name::parse("localhost:5000/lab/knee").unwrap();
        assert_eq!(
            (name.repository.as_str(), name.tag.as_str()),
            ("localhost:5000/lab/knee", "latest")
        );
        let name = Name::parse("lab/knee:0.2").unwrap();
        assert_eq!((name.repository.as_str(), name.tag.as_str()), ("lab/knee", "0.2"));
        assert_eq!(name.hostname(), "knee");
    }

    #[test]
    fn what_cannot_be_saved_under_it_is_no_name() {
        for bad in [
            "",
            "sha256:00ff",
            "a@sha256:00",
            "a b",
            "a:",
            "a:b c",
            "a;b",
            "../a?",
        ] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_names_have_two_containers() {
        let names = ["a/b", "a-b", "a.b", "a_b", "a:b", "a-b:c"].map(|n| Name::parse(n).unwrap().container());
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert!(
            names
                .iter()
                .all(|n| n.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)))
        );
    }
}
