//! PS3.4 Annex B: the Storage service class.

mod storage;
