//! PS3.15: security and system management profiles.

mod b_12_bcp_195;
mod certificates;
mod node;
