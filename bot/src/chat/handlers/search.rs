//! Questions that are looked up. The answer is kept for whoever asks the same; Reduced: an older answer will do, and a
//! new one is shorter and by the smaller model. Without a model, only this conversation can be looked through.

use super::memory::{forgot, history, keep};
use super::{Context, Failure, MOST_ANSWER, Services, silent};
use crate::ai::{OpenAi, Prompt, Task, Turn, fit};
use crate::features::Feature;
use crate::store::now_ms;

const TOKENS: u32 = 400;
const TOKENS_REDUCED: u32 = 120;
/// Places of a conversation that are shown.
const HITS: usize = 5;
const HITS_REDUCED: usize = 2;
/// Shorter words are in every sentence.
const SHORTEST_WORD: usize = 4;

pub(super) async fn answer(
    services: &Services,
    question: &str,
    context: Context<'_>,
) -> Result<String, Failure> {
    let reduced = context.reduced(Feature::Search);
    if let Some(openai) = services.model.remote() {
        return remote(services, openai, question, context, reduced).await;
    }
    let hits = if reduced { HITS_REDUCED } else { HITS };
    let past = history(services, context).await;
    Ok(fit(&look_through(&past, question, hits), MOST_ANSWER))
}

async fn remote(
    services: &Services,
    openai: &OpenAi,
    question: &str,
    context: Context<'_>,
    reduced: bool,
) -> Result<String, Failure> {
    let memory = services.memory;
    let now = now_ms();
    let oldest = now.saturating_sub(memory.search_kept_ms());
    let good = now.saturating_sub(memory.search_ttl_ms);
    let since = if reduced { oldest } else { good };
    if let Some(answer) = kept(services, question, since).await {
        return Ok(answer);
    }
    // nobody's name and nothing of a conversation: the answer is for everybody
    let tokens = if reduced { TOKENS_REDUCED } else { TOKENS };
    let prompt = Prompt::ask(Task::Search, "", question, &[], tokens, reduced);
    match openai.answer(&prompt, context.model_deadline()).await {
        Ok(answer) => {
            let answer = fit(&answer, MOST_ANSWER);
            keep(services, context, question, &answer).await;
            Ok(answer)
        }
        Err(silence) => match kept(services, question, oldest).await {
            Some(answer) => {
                let cause = silence.cause();
                let request = &context.message.id;
                tracing::warn!(
                    request,
                    feature = "search",
                    cause,
                    "answered with an old answer"
                );
                let text = format!("My larger mind is resting; from my notes of earlier: {answer}");
                Ok(fit(&text, MOST_ANSWER))
            }
            None => Err(silent(&silence, Feature::Search, context)),
        },
    }
}

async fn kept(services: &Services, question: &str, since: i64) -> Option<String> {
    let kept = services.store.kept_answer(question, since).await;
    kept.unwrap_or_else(|error| {
        forgot(&error);
        None
    })
}

/// What people said here that holds a word of the question, the newest first.
fn look_through(past: &[Turn], question: &str, most: usize) -> String {
    let question = question.to_lowercase();
    let words: Vec<&str> = question
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        .collect();
    let hits = past.iter().rev().filter_map(|turn| {
        let name = turn.from.as_deref()?;
        let said = turn.text.to_lowercase();
        let holds = words.iter().any(|word| said.contains(word));
        holds.then(|| format!("{name}: {}", fit(&turn.text, 200)))
    });
    let hits: Vec<String> = hits.take(most).collect();
    if hits.is_empty() {
        "I have no library here, only what was said to me in this conversation, and there I found nothing about it."
            .to_owned()
    } else {
        format!("In this conversation I found:\n{}", hits.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_looked_through_by_words() {
        let said = |from: Option<&str>, text: &str| Turn {
            from: from.map(str::to_owned),
            text: text.to_owned(),
        };
        let past = [
            said(Some("Ann"), "The kettle is in the pantry"),
            said(None, "The kettle, indeed."),
            said(Some("Ben"), "It is raining"),
            said(Some("Ben"), "That KETTLE is old"),
        ];
        let found = look_through(&past, "where is the kettle?", 5);
        assert!(
            found.ends_with("Ben: That KETTLE is old\nAnn: The kettle is in the pantry"),
            "{found}"
        );
        assert_eq!(look_through(&past, "kettle", 1).lines().count(), 2);
        assert!(look_through(&past, "is it", 5).contains("found nothing"));
    }
}
