//! PS3.4 Annex B and J: the Storage and the Storage Commitment service class.

mod commitment;
mod storage;
