//! The files of an image as paths, layers laid over each other.

use std::collections::BTreeMap;

/// How many symbolic links are followed, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// In a layer, the name of a file that says: what is in this directory so far is gone.
const OPAQUE: &str = ".wh..wh..opq";
/// In a layer, the beginning of a name that says: the file of the rest is gone.
const WHITEOUT: &str = ".wh.";

/// What there is at a path.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Permission bits.
    pub(super) mode: u32,
    /// The content of those few files that are read.
    pub(super) content: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum NodeKind {
    #[default]
    File,
    Directory,
    /// With where it leads to.
    Link(String),
    Other,
}

impl Node {
    pub(super) fn is_file(&self) -> bool {
        self.kind == NodeKind::File
    }
}

/// Paths without the leading `/`.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    pub(super) fn add(&mut self, path: String, node: Node) {
        if node.kind != NodeKind::Directory {
            self.remove_below(&path);
        }
        self.0.insert(path, node);
    }

    /// A file that is another one of this tree under a second name.
    pub(super) fn add_hard_link(&mut self, path: String, target: &str) {
        if let Some(node) = self.0.get(target).cloned() {
            self.add(path, node);
        }
    }

    fn remove_below(&mut self, path: &str) {
        let (from, to) = (format!("{path}/"), format!("{path}0")); // '0' follows '/'
        let below: Vec<_> = self.0.range(from..to).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Lays a layer over this tree.
    pub(super) fn lay(&mut self, layer: &Self) {
        for path in layer.0.keys() {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if name == OPAQUE {
                self.remove_below(folder);
            } else if let Some(gone) = name.strip_prefix(WHITEOUT) {
                let gone = if folder.is_empty() {
                    gone.to_owned()
                } else {
                    format!("{folder}/{gone}")
                };
                self.remove_below(&gone);
                self.0.remove(&gone);
            }
        }
        for (path, node) in &layer.0 {
            let name = path.rsplit('/').next().unwrap_or(path);
            if !name.starts_with(WHITEOUT) {
                self.add(path.clone(), node.clone());
            }
        }
    }

    /// What an absolute path leads to, links followed inside the tree.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        let mut rest: Vec<String> = components(path).rev().collect();
        let mut at: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            let node = self.0.get(&at.join("/"));
            if let Some(Node {
                kind: NodeKind::Link(target),
                ..
            }) = node
            {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                rest.extend(components(target).rev());
            }
        }
        self.0.get(&at.join("/"))
    }
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: NodeKind) -> Node {
        Node {
            kind,
            ..Node::default()
        }
    }

    fn tree(entries: &[(&str, NodeKind)]) -> Tree {
        let mut tree = Tree::default();
        for (path, kind) in entries {
            tree.add((*path).to_owned(), node(kind.clone()));
        }
        tree
    }

    #[test]
    fn links_are_followed_inside_and_never_in_circles() {
        let link = |to: &str| NodeKind::Link(to.to_owned());
        let tree = tree(&[
            ("bin", link("usr/bin")),
            ("usr/bin/sh", link("dash")),
            ("usr/bin/dash", NodeKind::File),
            ("a", link("/b")),
            ("b", link("a")),
            ("up", link("../../../usr/bin/dash")),
        ]);
        assert!(tree.at("/bin/sh").unwrap().is_file());
        assert!(
            tree.at("/up").unwrap().is_file(),
            "there is nothing above the root"
        );
        assert!(tree.at("/a").is_none());
        assert!(tree.at("/bin/bash").is_none());
    }

    #[test]
    fn a_layer_hides_what_it_says() {
        let mut image = tree(&[
            ("root/work.sh", NodeKind::File),
            ("root/storage/info.json", NodeKind::File),
            ("etc", NodeKind::Directory),
            ("etc/old", NodeKind::File),
            ("opt/x", NodeKind::File),
        ]);
        image.lay(&tree(&[
            ("root/.wh.work.sh", NodeKind::File),
            ("etc/.wh..wh..opq", NodeKind::File),
            ("etc/new", NodeKind::File),
            ("opt", NodeKind::File),
        ]));
        for (path, there) in [
            ("/root/work.sh", false),
            ("/root/storage/info.json", true),
            ("/etc/old", false),
            ("/etc/new", true),
            ("/opt/x", false),
            ("/root/.wh.work.sh", false),
        ] {
            assert_eq!(image.at(path).is_some(), there, "{path}");
        }
    }
}
