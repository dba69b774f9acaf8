//! The model: the embedded butler, or any endpoint that speaks the OpenAI protocol; keys and quotas.
