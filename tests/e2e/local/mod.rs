//! The local sockets: who may speak, and what happens to who speaks badly.

mod api_tokens;
mod callers;
mod changes;
mod files;
mod manners;
mod repeated;
mod rights;
mod standing;
mod table;
mod tcp;
