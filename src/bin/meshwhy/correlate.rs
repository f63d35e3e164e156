//! `meshwhy correlate`.

use crate::Outcome;
use crate::arguments::Correlate;

pub fn run(_options: &Correlate) -> anyhow::Result<Outcome> {
    Ok(Outcome::Nothing)
}
