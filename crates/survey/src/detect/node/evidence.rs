//! What shows that a program needs a variable (it throws or ends without it), and that a variable is a secret of its own
//! (it signs, encrypts or protects with it).

use crate::{
    detect::secret,
    javascript::{
        Kind, Script,
        values::{Program, environment_object, environment_read, is_variable},
    },
    model::Variable,
};

/// Tokens behind a read in which its test is looked for.
const NEAR: usize = 120;

/// `throw`, `process.exit(`: the program ends here.
pub(super) fn ends(script: &Script, at: usize) -> bool {
    let exits = script.is(at, "process") && script.is(at + 2, "exit");
    // With 0 it has nothing to do.
    script.is(at, "throw") || exits && !(script.is(at + 3, "(") && script.text(at + 4) == "0")
}

/// The read stands in a test that ends the program, or its name is tested so behind it.
pub(super) fn refuses(script: &Script, at: usize, last: usize) -> bool {
    if depends_on_another(script, at, last) {
        return false;
    }
    // `if (!process.env.X) throw …`, `if (!a || !process.env.X) { … }`
    let negated = at > 0 && script.is(at - 1, "!");
    let compared = script.is(last + 1, "=") && matches!(script.text(last + 4), "undefined" | "null");
    if (negated || compared) && in_condition(script, at) {
        return ends_soon(script, last);
    }
    // `process.env.X ?? fail("…")`, `|| (() => { throw … })()`
    if (script.is(last + 1, "??") || script.is(last + 1, "||"))
        && (last + 2..last + 12).take_while(|&at| !script.is(at, ";")).any(|at| ends(script, at))
    {
        return true;
    }
    // `assert(process.env.X)`, `invariant(process.env.X, …)`
    if at > 1 && script.is(at - 1, "(") && matches!(script.text(at - 2), "assert" | "invariant" | "ok") {
        return true;
    }
    // `const x = process.env.X; if (!x) throw …`
    let mut begin = at;
    while begin > 0 && at - begin < 30 && !matches!(script.text(begin), "=" | ";" | "{" | "}") {
        begin -= 1;
    }
    let bound = script.is(begin, "=") && begin > 0 && script.is_word(begin - 1);
    // Another value may stand in for it, or it only switches something on: `const paid = process.env.X ? true : false`.
    let alternative = (last + 1..last + 4).any(|at| matches!(script.text(at), "??" | "||"))
        || script.is(last + 1, "?") && !script.is(last + 2, ".");
    bound && !alternative && refused_later(script, begin - 1, last)
}

/// Tokens that are looked through for the condition around a read.
const MAX_AROUND: usize = 400;

/// Whether the read counts only where another variable says so: `if (process.env.HOSTED && !process.env.X)`, and what stands
/// inside of `if (process.env.HOSTED) { … }`. Production is no such condition.
fn depends_on_another(script: &Script, at: usize, last: usize) -> bool {
    let name = environment_read(script, at).map(|(name, _)| name);
    let others = |from: usize, to: usize| {
        (from..to).any(|place| {
            // Without `!` in front: a missing one would be no condition but a second demand.
            let negated = place > 0 && script.is(place - 1, "!");
            let read = environment_read(script, place).filter(|_| !negated).map(|(other, _)| other);
            read.is_some_and(|other| other != "NODE_ENV" && Some(&other) != name.as_ref())
        })
    };
    for open in (at.saturating_sub(MAX_AROUND)..at).rev() {
        let Some(close) = script.close(open) else { continue };
        // `if (…)` around the read: what is joined with `&&` alone.
        let whole = script.is(open, "(") && open > 0 && script.is(open - 1, "if");
        if whole && close > last {
            let either = (open..close).any(|place| script.is(place, "||"));
            if !either && others(open, close) {
                return true;
            }
        }
        // `if (…) { … the read … }`
        let body = script.is(close + 1, "{").then(|| script.close(close + 1)).flatten();
        if whole && close < at && body.is_some_and(|end| end > last) && others(open, close) {
            return true;
        }
    }
    false
}

/// Whether the name at a token is tested with `!` behind a place, and the program ends then.
pub(super) fn refused_later(script: &Script, name: usize, from: usize) -> bool {
    let name = script.text(name);
    (from..script.tokens.len().min(from + NEAR)).any(|at| {
        script.is(at, "!") && script.is(at + 1, name) && in_condition(script, at) && ends_soon(script, at + 1)
    })
}

fn in_condition(script: &Script, at: usize) -> bool {
    (at.saturating_sub(24)..at)
        .rev()
        .take_while(|&at| !matches!(script.text(at), ";" | "{" | "}"))
        .any(|at| script.is(at, "if"))
}

fn ends_soon(script: &Script, from: usize) -> bool {
    (from..script.tokens.len().min(from + 40))
        .take_while(|&at| !script.is(at, "}"))
        .any(|at| ends(script, at))
}

/// `process.env[name]` in a loop over a list of names that ends the program where one is missing.
pub(super) fn listed(program: &Program, module: usize, script: &Script, at: usize) -> Vec<(String, usize)> {
    let Some(behind) = environment_object(script, at).filter(|&behind| script.is(behind, "[")) else {
        return Vec::new();
    };
    if !script.is_word(behind + 1) || !script.is(behind + 2, "]") {
        return Vec::new();
    }
    let ended = (at..script.tokens.len().min(at + NEAR)).any(|at| ends(script, at));
    if !ended {
        return Vec::new();
    }
    loop_values(program, module, script, script.text(behind + 1), at)
        .into_iter()
        .filter(|(name, _)| is_variable(name))
        .collect()
}

/// The texts that a name takes in the loop around a place: `for (const x of [...])`, `[...].forEach((x) => …)`.
pub(super) fn loop_values(
    program: &Program,
    module: usize,
    script: &Script,
    name: &str,
    at: usize,
) -> Vec<(String, usize)> {
    for index in (at.saturating_sub(80)..at).rev() {
        if !script.is(index, name) {
            continue;
        }
        let list = if script.is(index + 1, "of") {
            Some(index + 2)
        } else {
            // The parameter of a callback: `LIST.forEach((name) =>`.
            let open = (index.saturating_sub(2)..index).rev().find(|&open| script.is(open, "("));
            let open = open.map(|open| if open > 0 && script.is(open - 1, "(") { open - 1 } else { open });
            open.filter(|&open| {
                open > 2
                    && script.is(open - 2, ".")
                    && matches!(
                        script.text(open - 1),
                        "forEach" | "filter" | "map" | "some" | "every" | "find"
                    )
            })
            .map(|open| open - 3)
        };
        if let Some(list) = list {
            return texts(program, module, script, list);
        }
    }
    Vec::new()
}

/// The texts of an array literal that begins or ends at a token, or that a name stands for.
fn texts(program: &Program, module: usize, script: &Script, at: usize) -> Vec<(String, usize)> {
    let open = if script.is(at, "]") {
        (at.saturating_sub(200)..at).rev().find(|&open| script.close(open) == Some(at))
    } else if script.is(at, "[") {
        Some(at)
    } else {
        let binding = program.modules.get(module).and_then(|module| module.binding(script.text(at), at));
        match binding.map(|binding| &binding.origin) {
            Some(crate::javascript::modules::Origin::Expression(from)) if script.is(*from, "[") => {
                Some(*from)
            }
            _ => None,
        }
    };
    let Some(open) = open else { return Vec::new() };
    let strings = script.arguments(open).into_iter().filter(|&at| script.kind(at) == Some(Kind::String));
    strings.filter_map(|at| Some((script.string(at)?, at))).collect()
}

/// Whether the variable is a secret of the program's own: by its name, and by its use or the default that it has.
pub(super) fn is_secret(program: &Program, variable: &Variable) -> bool {
    secret::is_own(&variable.name, variable.default.as_deref(), || signs(program, variable))
}

/// A read that stands where a key is expected: `secret: process.env.X`, `jwt.sign(data, process.env.X)`.
fn signs(program: &Program, variable: &Variable) -> bool {
    variable.evidence.iter().any(|place| {
        let script = program.scripts().find(|script| script.source.name() == place.file);
        script.is_some_and(|script| {
            let at = script.tokens.partition_point(|token| token.span.start < place.start);
            let property = at > 1
                && script.is(at - 1, ":")
                && matches!(script.text(at - 2), "secret" | "secretOrKey" | "secretOrPrivateKey" | "keys");
            let call = (at.saturating_sub(12)..at).any(|at| {
                matches!(
                    script.text(at),
                    "sign" | "verify" | "createHmac" | "cookieParser" | "createCipheriv"
                ) && script.is(at + 1, "(")
            });
            property || call
        })
    })
}
