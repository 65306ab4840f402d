//! What do a producer's properties ask for, and so: does the message wait, for a level, a time or a decision?

use crate::error::Refusal;
use crate::message::bodies;
use crate::settings::BrokerConfig;
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::fate::Fate;
use crate::waiting::timer::times::Times;
use roxmq_protocol::properties::{Properties, name};
use roxmq_protocol::time::Timestamp;

/// The wishes of a producer, found in one walk through its properties.
#[derive(Default)]
pub struct Asked<'a> {
    pub unique_key: Option<&'a str>,
    pub wait: Option<&'a str>,
    pub delay: Option<&'a str>,
    pub transactional: Option<&'a str>,
    pub light_queues: Option<&'a str>,
    pub times: Times<'a>,
    pub is_deletion: bool,
    pub is_inner_batch: bool,
}

impl<'a> Asked<'a> {
    /// The wishes in these properties.
    pub fn of(given: Properties<'a>) -> Asked<'a> {
        let mut asked = Asked::default();
        for (name, value) in given.iter() {
            match name {
                name::UNIQ_KEY => asked.unique_key = Some(value),
                name::WAIT => asked.wait = Some(value),
                name::DELAY => asked.delay = Some(value),
                name::TRAN_MSG => asked.transactional = Some(value),
                name::INNER_MULTI_DISPATCH => asked.light_queues = Some(value),
                name::TIMER_DEL_UNIQKEY => asked.is_deletion = true,
                name::INNER_NUM => asked.is_inner_batch = true,
                _ => asked.times.note(name, value),
            }
        }
        asked
    }

    /// Whether the message is to be half of a transaction.
    fn is_half(&self) -> bool {
        self.transactional.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the message waits. A half message waits for its decision first; a dead letter does not wait; a delay level wins over a
    /// time.
    ///
    /// # Errors
    /// When the level or the time is invalid.
    pub fn fate(
        &self,
        config: &BrokerConfig,
        is_dead_letter: bool,
        reconsume_times: i32,
        now: Timestamp,
        no_transactions: impl FnOnce() -> Refusal,
    ) -> Result<Fate, Refusal> {
        let level = DelayLevel::asked(self.delay, config.delay_ladder.levels_ms().len())?;
        // A retry that a consumer sends itself still has the properties of the first send.
        let is_half = self.is_half() && !(reconsume_times > 0 && level.is_some());
        if is_half && config.reject_transactions {
            return Err(no_transactions());
        }
        let due = if is_dead_letter || level.is_some() { None } else { self.times.due(now, config)? };
        Ok(match Fate::of(level, due) {
            _ if is_half => Fate::Decision,
            _ if is_dead_letter => Fate::DeadLetter,
            fate => fate,
        })
    }

    /// Refuses wishes that no send may have.
    pub fn check(&self, config: &BrokerConfig, is_batch: bool) -> Result<(), Refusal> {
        if self.is_deletion {
            return Err(Refusal::Message(
                "a timed message is taken back by its recall handle (request 370), not by another message.".into(),
            ));
        }
        if self.is_inner_batch {
            return Err(bodies::no_inner_batch());
        }
        match is_batch && self.waits(config) {
            true => Err(batch_waits()),
            false => Ok(()),
        }
    }

    /// Whether the message is to wait for a time, also one that is over, or for a decision, or is to end the wait of another message.
    pub fn waits(&self, config: &BrokerConfig) -> bool {
        let level = DelayLevel::asked(self.delay, config.delay_ladder.levels_ms().len());
        self.is_half() || self.is_deletion || self.times.is_asked() || level.map_or(true, |level| level.is_some())
    }
}

/// The refusal of a batch with a member that is to wait.
pub fn batch_waits() -> Refusal {
    Refusal::Message("the messages of a batch can wait neither for a time nor for a decision.".into())
}
