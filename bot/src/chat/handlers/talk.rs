//! A talk: with the model, else with the butler. Reduced: the smaller model, a shorter answer, no history.

use super::memory::{history, remember};
use super::{Context, Failure, MOST_ANSWER, Services, silent};
use crate::ai::{Prompt, Task, fit, persona};
use crate::features::Feature;

pub(super) async fn answer(
    services: &Services,
    text: &str,
    context: Context<'_>,
) -> Result<String, Failure> {
    let name = &context.message.author.name;
    let budget = context.flags.features.chat_budget;
    services.costs.chat(budget).perform().await;
    let answer = match services.model.remote() {
        None => persona::answer(text, name, budget),
        Some(openai) => {
            let reduced = context.reduced(Feature::AiChat);
            let past = if reduced {
                Vec::new()
            } else {
                history(services, context).await
            };
            let prompt = Prompt::ask(Task::Talk, name, text, &past, budget, reduced);
            let answered = openai.answer(&prompt, context.model_deadline()).await;
            answered.map_err(|silence| {
                let mut failure = silent(&silence, Feature::AiChat);
                // small talk is the butler's own; he does not pass it off as more
                let own = persona::small_talk(text, name).into_iter();
                failure.text = failure
                    .text
                    .into_iter()
                    .chain(own.map(|own| format!("Until then, from me alone: {own}")))
                    .reduce(|said, own| format!("{said} {own}"));
                failure
            })?
        }
    };
    let answer = fit(&answer, MOST_ANSWER);
    remember(services, context, text, &answer).await;
    Ok(answer)
}
