//! `buckets install`

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bucket::Archive;
use crate::cli::node_client::{Failed, NodeClient};
use crate::cli::upload::{self, FileSource, ImageSource, Source};
use crate::container::Error;

use super::text;
use super::wait::until_in_force;

pub(super) fn install(what: &str, force: bool, docker: &str, node: &NodeClient) -> Result<()> {
    let bucket = if is_file(what) {
        install_file(Path::new(what), force, node)?
    } else {
        install_image(what, force, docker, node)?
    };
    println!(
        "installed {} {} as {}",
        text(&bucket, "name"),
        text(&bucket, "version"),
        text(&bucket, "ae_title")
    );
    let bucket = until_in_force(bucket, node)?;
    println!("  digest     {}", text(&bucket, "digest"));
    println!("  directory  {}", text(&bucket, "directory"));
    if bucket.get("enabled").and_then(Value::as_bool) == Some(false) {
        let title = text(&bucket, "ae_title");
        println!("  disabled   it takes no studies until: buckets enable {title}");
    }
    Ok(())
}

/// Whether a file is meant and not an image: by how it ends or begins, as images never do.
fn is_file(what: &str) -> bool {
    let ends = [".tar", ".tar.gz", ".tgz"];
    let begins = ["/", "./", "../"];
    ends.iter().any(|end| what.ends_with(end)) || begins.iter().any(|begin| what.starts_with(begin))
}

fn install_file(path: &Path, force: bool, node: &NodeClient) -> Result<Value> {
    let source = FileSource::new(path)?;
    // The node looks too; here nobody waited for an hour before.
    if let Err(error) = Archive::look(path, u64::MAX - 1) {
        bail!("{} is no bucket: {error}", path.display());
    }
    upload_and_install(&source, force, node)
}

/// By reference where the engine of the node has the same image, as on the node's own machine; else the image is sent.
fn install_image(name: &str, force: bool, docker: &str, node: &NodeClient) -> Result<Value> {
    let source = match ImageSource::find(docker, name) {
        Ok(source) => source,
        Err(here) => return install_from_there(name, force, node, here),
    };
    let there = json!({ "image": source.id(), "name": name, "force": force });
    match node.try_post("buckets", &there) {
        Ok(bucket) => Ok(bucket),
        Err(Failed::Refused { status: 404, .. }) => upload_and_install(&source, force, node),
        Err(failed) => Err(failed.into()),
    }
}

/// There is no such image here: the node's machine may have one.
fn install_from_there(name: &str, force: bool, node: &NodeClient, here: Error) -> Result<Value> {
    match node.try_post("buckets", &json!({ "image": name, "force": force })) {
        Ok(bucket) => Ok(bucket),
        Err(Failed::Refused { status: 404, detail }) => match here {
            Error::NoSuchImage { .. } => {
                bail!(
                    "no image {name:?}, neither on this machine nor on that of the node at {}: build, load or pull it first, or give a FILE.tar",
                    node.url()
                )
            }
            here => Err(here).context(detail),
        },
        Err(failed) => Err(failed.into()),
    }
}

fn upload_and_install(source: &dyn Source, force: bool, node: &NodeClient) -> Result<Value> {
    let sent = upload::send(node, source)?;
    eprintln!("the node at {} loads it", node.url());
    node.post("buckets", &json!({ "upload": sent.to_json(), "force": force }))
}

#[cfg(test)]
mod tests {
    use super::is_file;

    #[test]
    fn a_file_is_told_from_an_image_by_its_name() {
        for file in ["a.tar", "a.tar.gz", "x/a.tgz", "./a", "/tmp/a", "../a"] {
            assert!(is_file(file), "{file}");
        }
        for image in ["a", "a:1.tarball", "lab/a:2", "registry:5000/a@sha256:00", "a.b"] {
            assert!(!is_file(image), "{image}");
        }
    }
}
