//! Tenancy: a query reads only the series of the namespace of the policy that asks it.
//!
//! Guarantees, for a [`Tenant`] of label `namespace` and namespace `bots`:
//! - each selector of what is sent, wherever it stands, has the matcher `namespace="bots"`. It is one
//!   more condition beside the user's own, so nothing that a user writes can widen what is read
//! - what is sent is the print of the tree that was bound, and that print was read back and looked
//!   through again: text of a user is never sent
//! - what cannot be bound (`info()`, `or` among matchers, an extension of the parser) is refused, and
//!   so is what asks for another namespace, since it would select nothing for ever
//!
//! Assumptions: the server holds all matchers of a selector together, and whoever sets the label at
//! ingestion is trusted.

use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::Expr;

use super::promql;
use super::walk::{selector, walk};

/// The longest name of a label: what the CRD allows.
const MAX_LABEL: usize = 128;

/// Whose series may be read: those with one value of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(Matcher);

impl Tenant {
    /// The tenant that a namespace is, under the label of a source's `spec.tenancy.label`.
    ///
    /// # Errors
    ///
    /// A sentence that goes on where the field's name ends: the label is none, or none that could
    /// tell tenants apart.
    pub fn new(label: &str, namespace: &str) -> Result<Self, String> {
        let legacy = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !legacy || label.starts_with("__") || label.len() > MAX_LABEL {
            return Err(format!(
                "is {label:?}: write the name of a label, such as namespace, of letters, digits and _, not beginning with a digit or two _"
            ));
        }
        if label == "le" {
            return Err("is le, which belongs to histograms: write the label that carries the namespace, such as namespace".to_owned());
        }
        // an empty value would select what has no such label at all
        if namespace.is_empty() {
            return Err("cannot hold a policy without a namespace to its own series".to_owned());
        }
        Ok(Self(Matcher::new(MatchOp::Equal, label, namespace)))
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.0.name
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.0.value
    }

    /// Binds every selector of an expression.
    pub(super) fn pin(&self, expr: &mut Expr) -> Result<(), String> {
        walk(expr, &mut |node| {
            self.bindable(node)?;
            let Some(selector) = selector(node) else {
                return Ok(());
            };
            let Matchers {
                matchers,
                or_matchers,
            } = &mut selector.matchers;
            // beside these the pin would not even be printed
            if !or_matchers.is_empty() {
                return Err("uses `or` inside matchers, which cannot be held to a namespace: use a regular expression, such as a=~\"b|c\"".to_owned());
            }
            self.compatible(matchers)?;
            matchers.retain(|own| *own != self.0);
            matchers.push(self.0.clone());
            Ok(())
        })
    }

    /// Whether every selector of an expression is bound.
    pub(super) fn holds(&self, expr: &mut Expr) -> bool {
        let bound = walk::<()>(expr, &mut |node| {
            self.bindable(node).map_err(drop)?;
            match selector(node) {
                Some(selector) => {
                    let Matchers {
                        matchers,
                        or_matchers,
                    } = &selector.matchers;
                    let bound = or_matchers.is_empty() && matchers.contains(&self.0);
                    bound.then_some(()).ok_or(())
                }
                None => Ok(()),
            }
        });
        bound.is_ok()
    }

    /// Refuses matchers that leave nothing of the namespace: a signal that is empty for ever explains
    /// nothing.
    pub(super) fn compatible(&self, matchers: &[Matcher]) -> Result<(), String> {
        let Matcher { name, value, .. } = &self.0;
        let other = matchers
            .iter()
            .find(|own| own.name == *name && !own.is_match(value));
        other.map_or(Ok(()), |other| {
            let other = promql::printable(&other.to_string());
            Err(format!(
                "selects {other}, but a policy in namespace {value} reads only series of {value}: remove the matcher"
            ))
        })
    }

    /// Refuses what reads series that no matcher of a selector bounds.
    fn bindable(&self, node: &Expr) -> Result<(), String> {
        let Self(Matcher { value, .. }) = self;
        match node {
            Expr::Call(call) if call.func.name == "info" => Err(format!(
                "uses info(), which cannot be held to the series of {value}: join them with `* on (..) group_left (..)`"
            )),
            Expr::Extension(_) => Err("uses an extension of the parser".to_owned()),
            Expr::Call(_)
            | Expr::Aggregate(_)
            | Expr::Unary(_)
            | Expr::Paren(_)
            | Expr::Binary(_)
            | Expr::Subquery(_)
            | Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::VectorSelector(_)
            | Expr::MatrixSelector(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
