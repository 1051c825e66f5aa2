//! The local sockets: who may speak, and what happens to who speaks badly.

mod callers;
mod files;
mod manners;
mod repeated;
mod rights;
mod tcp;
