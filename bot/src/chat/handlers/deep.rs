//! A long answer by the larger model. Reduced: not so long, and by the smaller one.

use super::{Context, Failure, MOST_ANSWER, Services, silent};
use crate::ai::{Prompt, Task, fit, persona};
use crate::features::Feature;

const TOKENS: u32 = 1500;
const TOKENS_REDUCED: u32 = 400;

pub(super) async fn answer(
    services: &Services,
    question: &str,
    context: Context<'_>,
) -> Result<String, Failure> {
    let name = &context.message.author.name;
    let reduced = context.reduced(Feature::DeepAnswers);
    let tokens = if reduced { TOKENS_REDUCED } else { TOKENS };
    services.costs.chat(tokens).perform().await;
    let Some(openai) = services.model.remote() else {
        let own = persona::answer(question, name, tokens);
        return Ok(format!(
            "I am a butler by rules, with no larger mind to ask, so this is as deep as I go. {own}"
        ));
    };
    let prompt = Prompt::ask(Task::Deep, name, question, &[], tokens, reduced);
    let answered = openai.answer(&prompt, context.model_deadline()).await;
    answered
        .map(|answer| fit(&answer, MOST_ANSWER))
        .map_err(|silence| silent(&silence, Feature::DeepAnswers, context))
}
