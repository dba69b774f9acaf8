//! A talk: with the model, else with the butler. Reduced: the smaller model, a shorter answer, no history; and the model
//! is not asked for what can be had without it, so that a quota of requests lasts longer.

use super::memory::{forgot, history, keep, remember};
use super::{Context, Failure, MOST_ANSWER, Services, silent};
use crate::ai::{OpenAi, Prompt, Silence, Task, fit, persona};
use crate::features::Feature;
use crate::store::now_ms;

/// Keeps answers to talks apart from those to searches; nobody can type it, since cleaning takes it out.
const KEPT: &str = "\u{1}talk";

pub(super) async fn answer(
    services: &Services,
    text: &str,
    context: Context<'_>,
) -> Result<String, Failure> {
    let name = &context.message.author.name;
    let budget = context.flags.features.chat_budget;
    services.costs.chat(budget).perform().await;
    let answered = match services.model.remote() {
        None => Ok(persona::answer(text, name, budget)),
        Some(openai) if context.reduced(Feature::AiChat) => {
            sparing(services, openai, text, budget, context).await
        }
        Some(openai) => {
            let past = history(services, context).await;
            let prompt = Prompt::ask(Task::Talk, name, text, &past, budget, false);
            openai.answer(&prompt, context.model_deadline()).await
        }
    };
    let answer = answered.map_err(|silence| failure(&silence, text, context))?;
    let answer = fit(&answer, MOST_ANSWER);
    remember(services, context, text, &answer).await;
    Ok(answer)
}

/// A pleasantry is the butler's, and what somebody has asked in the same words of late was answered already; both
/// are told as what they are. Only the rest costs a request.
async fn sparing(
    services: &Services,
    openai: &OpenAi,
    text: &str,
    budget: u32,
    context: Context<'_>,
) -> Result<String, Silence> {
    if let Some(own) = persona::pleasantry(text, &context.message.author.name) {
        return Ok(format!("{own} (From me alone; my larger mind is resting.)"));
    }
    let question = format!("{KEPT} {text}");
    let good = now_ms().saturating_sub(services.memory.search_ttl_ms);
    let kept = services.store.kept_answer(&question, good).await;
    match kept {
        Ok(Some(answer)) => {
            return Ok(format!("From my notes, for I was asked the same: {answer}"));
        }
        Ok(None) => {}
        Err(error) => forgot(&error),
    }
    // nobody's name and nothing of a conversation: the answer may become somebody else's
    let prompt = Prompt::ask(Task::Talk, "", text, &[], budget, true);
    let answer = openai.answer(&prompt, context.model_deadline()).await?;
    let answer = fit(&answer, MOST_ANSWER);
    keep(services, context, &question, &answer).await;
    Ok(answer)
}

/// Small talk is the butler's own; he does not pass it off as more.
fn failure(silence: &Silence, text: &str, context: Context<'_>) -> Failure {
    let name = &context.message.author.name;
    let mut failure = silent(silence, Feature::AiChat, context);
    let own = persona::small_talk(text, name).into_iter();
    failure.text = failure
        .text
        .into_iter()
        .chain(own.map(|own| format!("From me alone: {own}")))
        .reduce(|said, own| format!("{said} {own}"));
    failure
}
