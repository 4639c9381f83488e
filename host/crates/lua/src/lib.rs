//! Lua 5.1 for scripts: sandboxed, bounded in time and memory.
