//! The bucket's own documentation.

use crate::container::Error;

use super::{Failure, Shared};

/// Where a bucket keeps it; the first that is there is shown.
const PLACES: [&str; 4] = [
    "/root/storage/README.md",
    "/root/README.md",
    "/root/storage/README",
    "/root/README",
];

/// What is shown where a bucket has none.
const CONTRACT: &str = include_str!("contract.md");

/// Where it is in the image, and the text: Markdown, from the bucket and not to be trusted.
pub(super) async fn read(page: &Shared) -> Result<(String, String), Failure> {
    for place in PLACES {
        match page.read(place).await {
            Ok(Some(file)) => {
                return Ok((
                    place.to_owned(),
                    String::from_utf8_lossy(&file.bytes).into_owned(),
                ));
            }
            Ok(None) | Err(Error::TooLarge { .. } | Error::WrongKind { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((String::new(), CONTRACT.to_owned()))
}
