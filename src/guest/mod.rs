//! What a plugin links against.
