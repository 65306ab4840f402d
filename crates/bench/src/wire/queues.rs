//! Which queues does a run use?

use std::borrow::Cow;
use std::ops::Range;

/// The queues of one topic, or of several topics that have equally many. They are counted through, those of the first topic first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    topic: String,
    topics: u32,
    of_each: u32,
}

impl Queues {
    /// `of_each` queues of each of `topics` topics. Several topics differ by a number behind the name.
    pub fn new(topic: &str, topics: u32, of_each: u32) -> Queues {
        Queues { topic: topic.to_owned(), topics, of_each }
    }

    /// How many there are in all.
    pub fn count(&self) -> u32 {
        self.topics * self.of_each
    }

    /// All of them.
    pub fn all(&self) -> Range<u32> {
        0..self.count()
    }

    /// How many topics.
    pub fn topics(&self) -> u32 {
        self.topics
    }

    /// How many queues each topic has.
    pub fn of_each(&self) -> u32 {
        self.of_each
    }

    /// The name of a topic, by its number.
    pub fn topic(&self, number: u32) -> Cow<'_, str> {
        match self.topics {
            1 => self.topic.as_str().into(),
            _ => format!("{}-{number:0width$}", self.topic, width = NUMBER_DIGITS).into(),
        }
    }

    /// The number of a queue's topic.
    pub fn topic_number(&self, queue: u32) -> u32 {
        queue / self.of_each
    }

    /// The name of a queue's topic.
    pub fn topic_of(&self, queue: u32) -> Cow<'_, str> {
        self.topic(self.topic_number(queue))
    }

    /// A queue's id in its topic.
    pub fn id(&self, queue: u32) -> u32 {
        queue % self.of_each
    }

    /// For people.
    pub fn text(&self) -> String {
        let Queues { topic, topics, of_each } = self;
        match topics {
            1 => format!("topic {topic} of {of_each} queues"),
            _ => format!("{topics} topics {topic}-* of {of_each} queues"),
        }
    }
}

/// Every number of a topic has as many digits.
pub const NUMBER_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_counted_through() {
        let queues = Queues::new("T", 3, 4);
        assert_eq!(queues.count(), 12);
        let named: Vec<(Cow<'_, str>, u32)> = [0, 3, 4, 11].map(|queue| (queues.topic_of(queue), queues.id(queue))).into();
        assert_eq!(named, [("T-00000000".into(), 0), ("T-00000000".into(), 3), ("T-00000001".into(), 0), ("T-00000002".into(), 3)]);
        assert_eq!(Queues::new("T", 1, 4).topic_of(3), "T");
    }
}
