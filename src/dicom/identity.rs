//! Who we are on the wire (PS3.7 §D.3.3.2).

/// Implementation Class UID: a UUID of this project's own, in the form of PS3.5 §B.2.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.59957590717053813047757969709263483178";

/// Implementation Version Name, 1 to 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "MAGICKBOX_0_1";
