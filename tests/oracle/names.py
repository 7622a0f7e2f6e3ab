# SPDX-License-Identifier: Apache-2.0
"""What a client calls a model, beside the name of its row: regions, paths, sizes, versions, names nobody knows."""

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "ap-northeast-1", "us-gov-west-1")
SIZES = ("3b", "7b", "8x7b", "13b-chat", "70b-instruct", "405b", "8x22b", "1p5b", "m-500m")


def of_bedrock(rng, row, bare):
    region = rng.choice(REGIONS)
    return rng.choice((f"bedrock/{region}/{bare}", f"bedrock/converse/{bare}", f"bedrock/invoke/{bare}",
                       f"bedrock/us.{bare}", f"bedrock/eu.{bare}", f"bedrock/global.{bare}",
                       f"bedrock/arn:aws:bedrock:{region}::foundation-model/{bare}", f"{bare}-v1:0"))


def of_hosts(rng, row, bare):
    size = rng.choice(SIZES)
    if row.provider == "fireworks_ai":
        return f"fireworks_ai/accounts/fireworks/models/{rng.choice(('llama-v9', 'deepseek-r9', 'some'))}-{size}"
    return f"{row.provider}/an-org/a-model-{size}"


def of_openai(rng, row, bare):
    return rng.choice((f"{row.provider}/responses/{bare}", f"{row.provider}/ft:{bare}:org::abc1", f"openai/{bare}-2027-01-31",
                       f"{row.provider}/ft:{bare.split('/')[-1]}"))


def unheard_of(rng, row, bare):
    """Names of a family whose members LiteLLM knows something of, and names of none."""
    made = rng.choice(("claude-opus-9-9", "gpt-9-turbo", "gemini-9-pro", "o9-mini", "grok-99", "a-model-nobody-knows"))
    return rng.choice((made, f"{row.provider}/{made}"))


def any_other(rng, row, bare):
    return rng.choice((bare, row.name, row.full_name().upper(), f"{row.full_name()}-20270131", f"{row.full_name()}@latest",
                       f"{row.provider}/{row.full_name()}", unheard_of(rng, row, bare)))


OWN = {"bedrock": of_bedrock, "fireworks_ai": of_hosts, "together_ai": of_hosts, "openai": of_openai, "azure": of_openai}


def rename(rng, req, row):
    """Mostly the row's own name."""
    if rng.random() > 0.07:
        return []
    bare = row.full_name().split("/", 1)[-1]
    make = rng.choice((OWN.get(row.provider, any_other), any_other))
    req["model"] = make(rng, row, bare)
    return ["named"]
