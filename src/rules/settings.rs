//! The engine's numbers. They live in the revision, so that a replay has the same ones.

use super::raw::RawSettings;
use crate::document::{Field, Mistakes, Place};
use crate::domain::DurationMs;

/// The numbers of the engine that may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an accepted command may go unseen before it has lapsed.
    pub confirm: DurationMs,
    /// How long Salesforce may take to open the next row after it closed one, before that means Offline.
    pub grace: DurationMs,
    /// Choices that begin within this are concurrent.
    pub concurrent: DurationMs,
    /// How long before its command was issued an echo may begin.
    pub echo_early: DurationMs,
    /// How long after its command settled an echo may begin.
    pub echo_late: DurationMs,
    /// How often one target is corrected before its platform counts as diverged.
    pub corrections: u8,
    /// So many commands for an agent within the flap window are the most.
    pub flap_commands: u8,
    /// The flap window.
    pub flap_window: DurationMs,
    /// The first cool-down; each next is twice as long.
    pub cool_down: DurationMs,
    /// The longest cool-down.
    pub cool_down_max: DurationMs,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            confirm: DurationMs::from_seconds(30),
            grace: DurationMs::from_seconds(5),
            concurrent: DurationMs::from_seconds(5),
            echo_early: DurationMs::from_seconds(2),
            echo_late: DurationMs::from_seconds(5),
            corrections: 3,
            flap_commands: 10,
            flap_window: DurationMs::from_seconds(60),
            cool_down: DurationMs::from_seconds(30),
            cool_down_max: DurationMs::from_seconds(900),
        }
    }
}

/// A day: no window of the engine is longer.
const DAY_MS: u32 = 86_400_000;

/// The most commands whose times an agent's bounded state holds for the flap window.
pub const FLAP_COMMANDS_MAX: u32 = 32;

pub(super) fn settings(raw: RawSettings, mistakes: &mut Mistakes) -> Settings {
    let mut settings = Settings::default();
    // A timer below one second would be shorter than the platforms' own delays.
    length(raw.confirm_ms, "confirm_ms", 1_000, &mut settings.confirm, mistakes);
    length(raw.grace_ms, "grace_ms", 1_000, &mut settings.grace, mistakes);
    length(raw.concurrent_ms, "concurrent_ms", 0, &mut settings.concurrent, mistakes);
    length(raw.echo_early_ms, "echo_early_ms", 0, &mut settings.echo_early, mistakes);
    length(raw.echo_late_ms, "echo_late_ms", 0, &mut settings.echo_late, mistakes);
    length(raw.flap_window_ms, "flap_window_ms", 1_000, &mut settings.flap_window, mistakes);
    count(raw.corrections, "corrections", 0, 100, &mut settings.corrections, mistakes);
    count(raw.flap_commands, "flap_commands", 1, FLAP_COMMANDS_MAX, &mut settings.flap_commands, mistakes);
    let place = raw.cool_down_ms.given().or(raw.cool_down_ms_max.given()).map(|n| n.place);
    length(raw.cool_down_ms, "cool_down_ms", 1_000, &mut settings.cool_down, mistakes);
    length(raw.cool_down_ms_max, "cool_down_ms_max", 1_000, &mut settings.cool_down_max, mistakes);
    if settings.cool_down > settings.cool_down_max {
        mistakes
            .error(place.unwrap_or_default(), "setting", "`cool_down_ms` is more than `cool_down_ms_max`")
            .mend(format!("write cool_down_ms_max = {} or more", settings.cool_down.as_ms()));
    }
    settings
}

fn length(raw: Field<u32>, key: &str, min: u32, into: &mut DurationMs, mistakes: &mut Mistakes) {
    if let Some(ms) = within(raw, key, min, DAY_MS, into.as_ms(), mistakes) {
        *into = DurationMs::from_ms(i64::from(ms));
    }
}

fn count(raw: Field<u32>, key: &str, min: u32, max: u32, into: &mut u8, mistakes: &mut Mistakes) {
    let number = within(raw, key, min, max, i64::from(*into), mistakes);
    if let Some(number) = number.and_then(|n| u8::try_from(n).ok()) {
        *into = number;
    }
}

fn within(
    raw: Field<u32>,
    key: &str,
    min: u32,
    max: u32,
    default: i64,
    mistakes: &mut Mistakes,
) -> Option<u32> {
    let given = raw.into_given()?;
    if (min..=max).contains(&given.value) {
        return Some(given.value);
    }
    out_of_range(given.place, key, min, max, default, mistakes);
    None
}

fn out_of_range(place: Place, key: &str, min: u32, max: u32, default: i64, mistakes: &mut Mistakes) {
    mistakes
        .error(place, "setting", format!("`{key}` is out of range"))
        .mend(format!("write a number from {min} to {max}; {default} if unsure"));
}
