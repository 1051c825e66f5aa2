//! The store: the promises that every backend keeps, and what is particular to SQLite.

#[macro_use]
mod conformance;
mod fixtures;
mod keys;
mod model;
mod people;
mod sqlite;
