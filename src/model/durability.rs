//! What an object has to survive before it is answered with Success.

/// The promise behind a Success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power: the object, its name and its place in the job store have been synced.
    #[default]
    Instance,
    /// A crash of the node; a loss of power once the association was released, since everything that it stored is synced
    /// before the release is answered. No sync for each object.
    Association,
    /// A crash of the node, not one of the machine: the system writes when it likes. For data that exists elsewhere.
    None,
}
