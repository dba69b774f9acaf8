//! The butler: a small rule-based persona that needs no network.

/// Words per unit of budget: 512 is a paragraph, 96 a sentence.
const BUDGET_PER_WORD: u32 = 8;

/// Words of a pleasantry; whoever writes more means more.
const MOST_PLEASANT: usize = 4;

struct Topic {
    /// Any of these words brings it up.
    words: &'static [&'static str],
    /// The most important sentence first, and short; the rest is what a larger budget buys.
    sentences: &'static [&'static str],
}

const TOPICS: &[Topic] = &[
    Topic {
        words: &["hello", "hi", "hey", "morning", "evening", "hallo"],
        sentences: &[
            "Good day, {user}, how nice to see you.",
            "I have dusted the server racks and put the kettle on.",
            "Do sit down and tell me what brings you here.",
            "If you are in a hurry, !help lists what I can do without any fuss.",
        ],
    },
    Topic {
        words: &["thanks", "thank", "cheers", "merci", "danke"],
        sentences: &[
            "You are most welcome, {user}.",
            "A kind word is the best tip a butler can get.",
            "I shall be here whenever you need me, at any hour.",
        ],
    },
    Topic {
        words: &["joke", "funny", "laugh"],
        sentences: &[
            "Why did the pod cross the node? It was evicted.",
            "I had a better one about UDP, yet you might not get it.",
            "My humour is served dry, as a good sherry should be.",
            "Ask again, and I shall look for another in the cellar.",
        ],
    },
    Topic {
        words: &["tea", "coffee", "hungry", "lunch", "dinner", "cake"],
        sentences: &[
            "Tea is served, {user}, with a slice of cake.",
            "Four minutes for the black one, two for the green one, not a second more.",
            "Should you prefer coffee, I shall pretend not to have heard.",
        ],
    },
    Topic {
        words: &["who", "name", "you", "bot", "butler"],
        sentences: &[
            "I am ChatBotler, a butler of few means and good manners.",
            "When the house is full I keep the doors open and put the fireworks away.",
            "When the guests have gone home, everything comes back, the confetti first of all.",
        ],
    },
    Topic {
        words: &["slow", "broken", "down", "bug", "error"],
        sentences: &[
            "I am sorry for the trouble, {user}.",
            "When it is crowded I do less at a time, so that nobody waits in vain.",
            "You can see with !status what is resting at the moment.",
        ],
    },
];

const QUESTION: &[&str] = &[
    "A fair question, {user}; I would sleep on it.",
    "In my experience most things look simpler after a walk.",
    "If it must be decided now, choose what is easier to undo.",
    "And whatever you choose, write down why, for the next one who asks.",
];

const REMARK: &[&str] = &[
    "I see, {user}; do go on.",
    "A butler hears much and repeats nothing, so your words are safe with me.",
    "It reminds me of a winter when the whole house talked of nothing else.",
    "Tell me more, or ask me for tea or for a joke.",
];

/// Answers within the budget, though always with a first sentence. Equal messages get equal answers.
pub(crate) fn answer(message: &str, user: &str, budget: u32) -> String {
    let most = usize::try_from(budget / BUDGET_PER_WORD).unwrap_or(usize::MAX);
    let mut words = 0;
    let fitting = sentences(message)
        .iter()
        .enumerate()
        .take_while(|(n, text)| {
            words += text.split_whitespace().count();
            *n == 0 || words <= most
        });
    let fitting: Vec<&str> = fitting.map(|(_, text)| *text).collect();
    fitting.join(" ").replace("{user}", user)
}

/// The short answer to small talk; none where the message is about something else, on which only a larger mind
/// has anything to say.
pub(crate) fn small_talk(message: &str, user: &str) -> Option<String> {
    let sentence = topic(message)?.sentences.first()?;
    Some(sentence.replace("{user}", user))
}

/// The butler's answer to a few words that ask nothing: a greeting, thanks, a wish for tea. Nobody needs a larger mind
/// for it.
pub(crate) fn pleasantry(message: &str, user: &str) -> Option<String> {
    let brief = message.split_whitespace().count() <= MOST_PLEASANT && !message.contains('?');
    brief.then(|| small_talk(message, user)).flatten()
}

fn sentences(message: &str) -> &'static [&'static str] {
    match topic(message) {
        Some(topic) => topic.sentences,
        None if message.trim_end().ends_with('?') => QUESTION,
        None => REMARK,
    }
}

fn topic(message: &str) -> Option<&'static Topic> {
    let lower = message.to_lowercase();
    let said: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    TOPICS
        .iter()
        .find(|topic| topic.words.iter().any(|word| said.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_budget_is_a_shorter_answer() {
        for message in ["Hello!", "tell me a joke", "why?", "it rains", "thanks"] {
            let (full, short) = (answer(message, "guest", 512), answer(message, "guest", 96));
            assert!(short.len() < full.len(), "{message}");
            assert!(full.starts_with(&short), "{message}");
            assert!(short.split_whitespace().count() <= 12, "{message}: {short}");
        }
    }

    #[test]
    fn small_talk_is_told_from_the_rest() {
        assert!(small_talk("a joke, please", "you").is_some());
        assert_eq!(small_talk("what is a monad?", "you"), None);
    }

    #[test]
    fn a_pleasantry_is_short_and_no_question() {
        for message in ["Good morning!", "thanks a lot", "tell me a joke"] {
            assert!(pleasantry(message, "you").is_some(), "{message}");
        }
        for message in [
            "who are you?",
            "do you know what a monad is",
            "why is my coffee cold?",
            "it rains",
        ] {
            assert_eq!(pleasantry(message, "you"), None, "{message}");
        }
    }

    #[test]
    fn there_is_always_a_first_sentence() {
        assert_eq!(
            answer("hello", "you", 1),
            "Good day, you, how nice to see you."
        );
    }
}
