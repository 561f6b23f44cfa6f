//! The Cloudflare Workers host: each shard is a Durable Object.
