//! What goes wrong on demand.

use std::time::Duration;

use serde::Deserialize;

use super::wire::{Body, Cut, Reply};

/// What a call meets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Kind {
    /// This status is answered, and nothing is done.
    Status {
        status: u16,
        #[serde(rename = "retryAfter")]
        retry_after: Option<String>,
    },
    /// The answer comes so much later.
    Latency { ms: u64 },
    /// The connection is cut before an answer, and nothing is done.
    Reset,
    /// It is done, and the answer is cut off half-way.
    Cut,
    /// A page of HTML is answered with this status, or with 200, and nothing is done.
    Html { status: Option<u16> },
    /// An empty body is answered with 200, and nothing is done.
    Empty,
    /// It is answered as if it were done.
    Lost,
    /// It is answered at once, and done so much later.
    Late { ms: u64 },
    /// It is done, and the connection is cut without an answer.
    After,
    /// The page before is given again.
    Repeat,
    /// A page is left out.
    Skip,
}

impl Kind {
    /// What is answered in place of doing anything. How a platform says that it failed is `failed`.
    pub(super) fn instead(&self, failed: impl Fn(u16) -> Reply) -> Option<Reply> {
        match self {
            Kind::Status { status, retry_after } => Some(match retry_after {
                Some(wait) => failed(*status).with("retry-after", wait.clone()),
                None => failed(*status),
            }),
            Kind::Reset => Some(Reply { cut: Cut::Before, ..Reply::empty(500) }),
            Kind::Html { status } => Some(Reply { body: Body::Html, ..Reply::empty(status.unwrap_or(200)) }),
            Kind::Empty => Some(Reply::empty(200)),
            _ => None,
        }
    }
}

impl Reply {
    /// It comes late, or not whole, as the faults say that its call has met.
    pub(super) fn spoil(&mut self, met: &[Kind]) {
        for kind in met {
            match kind {
                Kind::Latency { ms } => self.latency = Duration::from_millis(*ms),
                Kind::After => self.cut = Cut::Before,
                Kind::Cut => self.cut = Cut::Midway,
                _ => {}
            }
        }
    }
}

/// A fault: which calls meet it, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Fault {
    /// Calls whose path has this in it.
    #[serde(default)]
    path: String,
    #[serde(flatten)]
    kind: Kind,
    /// So many calls; without it all, until the fault is taken away.
    count: Option<u32>,
}

/// The faults there are.
#[derive(Debug, Default)]
pub(super) struct Faults {
    all: Vec<Fault>,
}

impl Faults {
    pub(super) fn replace(&mut self, all: Vec<Fault>) {
        self.all = all;
    }

    /// What a call to this path meets. Each fault that fits is used up by one.
    pub(super) fn meet(&mut self, path: &str) -> Vec<Kind> {
        let mut met = Vec::new();
        for fault in self.all.iter_mut().filter(|fault| path.contains(&fault.path.to_ascii_lowercase())) {
            match &mut fault.count {
                Some(0) => continue,
                Some(count) => *count -= 1,
                None => {}
            }
            met.push(fault.kind.clone());
        }
        self.all.retain(|fault| fault.count != Some(0));
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_met_as_often_as_it_says() {
        let text = r#"[
            {"path": "/agents/states", "kind": "status", "status": 503, "retryAfter": "2", "count": 2},
            {"kind": "latency", "ms": 7}
        ]"#;
        let mut faults = Faults::default();
        faults.replace(serde_json::from_str(text).unwrap());
        let busy = Kind::Status { status: 503, retry_after: Some("2".to_owned()) };
        let slow = Kind::Latency { ms: 7 };
        assert_eq!(faults.meet("/x/agents/states"), [busy.clone(), slow.clone()]);
        assert_eq!(faults.meet("/x/teams"), std::slice::from_ref(&slow));
        assert_eq!(faults.meet("/x/agents/states"), [busy, slow.clone()]);
        assert_eq!(faults.meet("/x/agents/states"), [slow]);
        assert!(serde_json::from_str::<Vec<Fault>>(r#"[{"kind": "surprise"}]"#).is_err());
    }
}
