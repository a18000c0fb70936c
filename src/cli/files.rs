//! How many files a process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files a process of this user and system may have open at most; none where there is no limit.
pub(super) fn most() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Lets this process, and those that it starts, have as many files open as the system allows it at most. Tells how many that are;
/// none where there is no limit.
pub(super) fn allow_all() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // Some systems have a limit of their own below it.
        Err(_) => current,
    }
}
