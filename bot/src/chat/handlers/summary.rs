//! What a conversation was about, as far as the bot was told. Reduced: its last few messages only.

use std::collections::BTreeMap;

use super::memory::history;
use super::{Context, Failure, MOST_ANSWER, Services, silent};
use crate::ai::{Prompt, Turn, fit};
use crate::features::Feature;

const TOKENS: u32 = 300;
const TOKENS_REDUCED: u32 = 120;
/// Turns: messages and their answers.
const LAST_REDUCED: usize = 6;
const SHORTEST_WORD: usize = 5;
const TOPICS: usize = 5;

pub(super) async fn answer(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    let reduced = context.reduced(Feature::Summaries);
    let past = history(services, context).await;
    let past = if reduced {
        &past[past.len().saturating_sub(LAST_REDUCED)..]
    } else {
        &past[..]
    };
    if past.is_empty() {
        let nothing = "There is nothing to sum up: I know only what was said to me here, and nothing was of late.";
        return Ok(nothing.to_owned());
    }
    let Some(openai) = services.model.remote() else {
        return Ok(fit(&by_rules(past), MOST_ANSWER));
    };
    let tokens = if reduced { TOKENS_REDUCED } else { TOKENS };
    let prompt = Prompt::sum_up(past, tokens, reduced);
    let answered = openai.answer(&prompt, context.model_deadline()).await;
    answered
        .map(|answer| fit(&answer, MOST_ANSWER))
        .map_err(|silence| silent(&silence, Feature::Summaries, context))
}

/// Who spoke, how often, and the words that came up again.
fn by_rules(past: &[Turn]) -> String {
    let said = past
        .iter()
        .filter_map(|turn| Some((turn.from.as_deref()?, turn.text.as_str())));
    let mut people: Vec<&str> = Vec::new();
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    let (mut messages, mut questions) = (0, 0);
    for (name, text) in said {
        messages += 1;
        questions += usize::from(text.trim_end().ends_with('?'));
        if !people.contains(&name) {
            people.push(name);
        }
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if word.chars().count() >= SHORTEST_WORD {
                *words.entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    let mut words: Vec<(String, usize)> = words.into_iter().collect();
    words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let topics: Vec<String> = words
        .into_iter()
        .take(TOPICS)
        .map(|(word, _)| word)
        .collect();
    let mut text = format!(
        "Lately {} said {messages} things to me, {questions} of them questions.",
        people.join(", ")
    );
    if !topics.is_empty() {
        text.push_str(" It was about: ");
        text.push_str(&topics.join(", "));
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_by_rules_tells_who_and_what() {
        let turn = |from: Option<&str>, text: &str| Turn {
            from: from.map(str::to_owned),
            text: text.to_owned(),
        };
        let past = [
            turn(Some("Ann"), "Where is the kettle?"),
            turn(None, "In the pantry, surely surely surely."),
            turn(Some("Ben"), "A kettle for the garden"),
        ];
        assert_eq!(
            by_rules(&past),
            "Lately Ann, Ben said 2 things to me, 1 of them questions. It was about: kettle, garden, where."
        );
    }
}
