//! Packages that call another company's servers: whoever imports one needs a way out of the stack.

/// Names and, with a slash at the end, families of packages; with the host where it is always the same.
const CALLERS: &[(&str, &str)] = &[
    ("stripe", "api.stripe.com"),
    ("@paypal/", "api.paypal.com"),
    ("@mollie/api-client", "api.mollie.com"),
    ("razorpay", "api.razorpay.com"),
    ("plaid", "plaid.com"),
    ("openai", "api.openai.com"),
    ("@anthropic-ai/sdk", "api.anthropic.com"),
    ("@google/genai", "googleapis.com"),
    ("@google/generative-ai", "googleapis.com"),
    ("@ai-sdk/", "the maker of the language model"),
    ("@langchain/", "the maker of the language model"),
    ("cohere-ai", "api.cohere.com"),
    ("replicate", "api.replicate.com"),
    ("@pinecone-database/pinecone", "pinecone.io"),
    ("nodemailer", "a mail server"),
    ("@nestjs-modules/mailer", "a mail server"),
    ("twilio", "api.twilio.com"),
    ("@sendgrid/mail", "api.sendgrid.com"),
    ("resend", "api.resend.com"),
    ("postmark", "api.postmarkapp.com"),
    ("mailgun.js", "api.mailgun.net"),
    ("@mailchimp/", "api.mailchimp.com"),
    ("@sentry/", "the Sentry server"),
    ("posthog-node", "the PostHog server"),
    ("googleapis", "googleapis.com"),
    ("google-auth-library", "googleapis.com"),
    ("@google-cloud/", "googleapis.com"),
    ("firebase-admin", "googleapis.com"),
    ("firebase", "googleapis.com"),
    ("@aws-sdk/", "amazonaws.com"),
    ("aws-sdk", "amazonaws.com"),
    ("@azure/", "the Azure services"),
    ("@slack/", "slack.com"),
    ("discord.js", "discord.com"),
    ("telegraf", "api.telegram.org"),
    ("grammy", "api.telegram.org"),
    ("node-telegram-bot-api", "api.telegram.org"),
    ("@octokit/", "api.github.com"),
    ("octokit", "api.github.com"),
    ("@notionhq/client", "api.notion.com"),
    ("@hubspot/api-client", "api.hubapi.com"),
    ("contentful", "contentful.com"),
    ("@sanity/client", "sanity.io"),
    ("algoliasearch", "algolia.net"),
    ("cloudinary", "api.cloudinary.com"),
    ("@supabase/", "the Supabase server"),
    ("@neondatabase/serverless", "the Neon server"),
    ("@planetscale/database", "the PlanetScale server"),
    ("@upstash/", "the Upstash server"),
    ("@vercel/", "the services of Vercel"),
    ("@clerk/", "api.clerk.com"),
    ("@workos-inc/node", "api.workos.com"),
    ("auth0", "the Auth0 server"),
    ("express-openid-connect", "the server of the accounts"),
    ("openid-client", "the server of the accounts"),
    ("jwks-rsa", "the server of the accounts"),
    ("next-auth", "the servers of the accounts"),
    ("@auth/", "the servers of the accounts"),
    ("nuxt-auth-utils", "the servers of the accounts"),
    ("passport-google-oauth20", "accounts.google.com"),
    ("passport-github2", "github.com"),
    ("passport-facebook", "graph.facebook.com"),
    ("passport-oauth2", "the server of the accounts"),
    ("passport-auth0", "the Auth0 server"),
    ("web-push", "push services of browsers"),
];

/// The host that a package calls.
pub(super) fn host(package: &str) -> Option<&'static str> {
    let is_it = |name: &str| if name.ends_with('/') { package.starts_with(name) } else { package == name };
    CALLERS.iter().find(|(name, _)| is_it(name)).map(|(_, host)| *host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_families() {
        assert_eq!(host("stripe"), Some("api.stripe.com"));
        assert_eq!(host("@google-cloud/pubsub"), Some("googleapis.com"));
        assert_eq!((host("stripe-mock"), host("@google-cloud"), host("express")), (None, None, None));
    }
}
