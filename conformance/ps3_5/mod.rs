//! PS3.5: data sets, good and hostile. One bad object does not end the association.

mod deflated;
mod encodings;
mod lengths;
mod nesting;
mod text;
mod trial;
