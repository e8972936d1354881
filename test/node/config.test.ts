import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type ConfigSources, loadConfig, resolveConfig, sourceText } from "../../src/node/config.ts";
import { configTemplate } from "../../src/node/configTemplate.ts";
import { editDistance, nearestName } from "../../src/node/nearestName.ts";
import { environmentName, SETTINGS } from "../../src/node/settings.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

function resolve(text: string, sources: ConfigSources = {}) {
  const resolved = resolveConfig(text, "config.toml", sources);
  if (!resolved.ok) throw new Error(resolved.error.problems.join("\n"));
  return resolved.value;
}

function problems(text: string, sources: ConfigSources = {}): readonly string[] {
  const resolved = resolveConfig(text, "config.toml", sources);
  return resolved.ok ? [] : resolved.error.problems;
}

describe("a setting's value", () => {
  const name = "consensus.heartbeatMs";
  const file = "[consensus]\nheartbeatMs = 40\n";
  const environment = { CAIRN_CONSENSUS_HEARTBEAT_MS: "30" };
  const flags = { [name]: { flag: "--set", value: 20 } };
  const from = (text: string, sources: ConfigSources) => {
    const { config, settings } = resolve(text, sources);
    const { source } = settings.find(({ setting }) => setting.name === name) ?? {};
    return [config.consensus.heartbeatMs, source && sourceText(source)];
  };

  test("is the flag's over the environment's over the file's over the default, and it is known whose", () => {
    expect(from(file, { environment, flags })).toEqual([20, "flag --set"]);
    expect(from(file, { environment })).toEqual([30, "environment CAIRN_CONSENSUS_HEARTBEAT_MS"]);
    expect(from(file, {})).toEqual([40, "config.toml"]);
    expect(from("", {})).toEqual([100, "default"]);
  });

  test("in the environment is read by the setting's type", () => {
    const { config } = resolve("", {
      environment: {
        CAIRN_P2P_PEERS: "127.0.0.1:1, /ip4/127.0.0.1/tcp/2",
        CAIRN_INDEX_ENABLED: "false",
        CAIRN_NODE_NAME: "7",
        CAIRN_HTTP_LISTEN: "[::1]:80",
      },
    });
    expect(config.p2p.peers).toEqual(["127.0.0.1:1", "/ip4/127.0.0.1/tcp/2"]);
    expect(config.index.enabled).toBe(false);
    expect(config.name).toBe("7");
    expect(config.http).toMatchObject({ host: "::1", port: 80 });
  });
});

describe("a name that is no setting", () => {
  test.each([
    ["[http]\nlisen = 'a'", "http.lisen", "http.listen"],
    ["[htpp]\nlisten = 'a'", "htpp.listen", "http.listen"],
    ["heartbeatMs = 1", "heartbeatMs", "consensus.heartbeatMs"],
    ["[consensus]\nblockBytes = 1", "consensus.blockBytes", "production.blockBytes"],
    ["[CONSENSUS]\nheartbeatms = 1", "CONSENSUS.heartbeatms", "consensus.heartbeatMs"],
    ["[http.listen]\nhost = 'x'", "http.listen", undefined],
    ["[loog]", "loog", "log"],
  ])("%j is an error that names it, the file and the nearest", (text, name, nearest) => {
    const [problem = ""] = problems(text);
    expect(problem).toContain("config.toml");
    expect(problem).toContain(name);
    if (nearest !== undefined) expect(problem).toContain(`did you mean "${nearest}"?`);
  });

  test("is told with everything else that is wrong", () => {
    expect(problems("[http]\nlisen = 'a'\n[log]\nlevel = 'loud'\n[p2p]\npeers = ['x']")).toEqual([
      expect.stringContaining("http.lisen"),
      expect.stringContaining("p2p.peers[0]"),
      expect.stringContaining("log.level"),
    ]);
  });

  test("in the environment is an error when it is near to one, else a warning", () => {
    expect(problems("", { environment: { CAIRN_LOG_LEVL: "debug" } })[0]).toContain('did you mean "CAIRN_LOG_LEVEL"?');
    const { warnings } = resolve("", { environment: { CAIRN_HOME_OF_SOMETHING: "x", CAIRN_URL: "y", PATH: "z" } });
    expect(warnings).toEqual([expect.stringContaining("CAIRN_HOME_OF_SOMETHING")]);
  });
});

describe("HTTP on anything but loopback", () => {
  test.each(["0.0.0.0:80", "10.0.0.1:80", "[::]:80", "example.org:80", "127.0.0.1.example.org:80"])(
    "%s is refused without a token",
    (listen) => {
      const text = `[http]\nlisten = "${listen}"\n`;
      const refused = resolveConfig(text, "config.toml", {});
      expect(refused.ok ? undefined : refused.error.code).toBe("HTTP_NEEDS_TOKEN");
      expect(resolve(`${text}token = "t"`).config.http.token).toBe("t");
    },
  );

  test.each(["127.0.0.1:80", "127.9.9.9:80", "localhost:80", "[::1]:80"])("%s is loopback", (listen) => {
    expect(resolve(`[http]\nlisten = "${listen}"`).config.http.token).toBeUndefined();
  });
});

test("a heartbeat that is not shorter than the election timeout is refused", () => {
  expect(problems("[consensus]\nheartbeatMs = 600")[0]).toContain("electionTimeoutMs (600)");
});

test("what is not TOML is told with its line", () => {
  expect(problems("[http]\nlisten = \n")[0]).toMatch(/config\.toml: is not TOML[\s\S]*2:/);
});

test("a directory without config.toml is told how to get one", () => {
  const loaded = loadConfig(join(dir, "none"));
  expect(loaded.ok ? undefined : loaded.error).toMatchObject({
    code: "CONFIG_UNREADABLE",
    problems: [expect.stringMatching(/does not exist.*cairn init/)],
  });
});

describe("the template", () => {
  test("shows every setting and sets none", () => {
    const text = configTemplate({});
    const { settings } = resolve(text);
    expect(settings.every(({ source }) => source.kind === "default")).toBe(true);
    for (const { name } of SETTINGS) expect(text).toContain(`# ${name.slice(name.indexOf(".") + 1)} = `);
  });

  test("with every comment taken away gives the defaults again", () => {
    const { settings } = resolve(configTemplate({}).replace(/^# (\w+ = )/gm, "$1"));
    for (const { setting, value, source } of settings) {
      expect(value, setting.name).toEqual(setting.default);
      expect(source.kind, setting.name).toBe("file");
    }
  });

  test("keeps any chosen text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 }), (name) => {
        const loaded = resolveConfig(configTemplate({ "node.name": name }), "f", {});
        if (loaded.ok) expect(loaded.value.config.name).toBe(name);
        else expect(loaded.error.problems[0]).toContain("printable");
      }),
    );
  });

  test("is read from a directory", () => {
    writeFileSync(join(dir, "config.toml"), configTemplate({ "node.name": "n" }));
    const loaded = loadConfig(dir);
    expect(loaded.ok && loaded.value.config.name).toBe("n");
  });
});

test("every setting has a variable of its own", () => {
  expect(environmentName("consensus.electionTimeoutMs")).toBe("CAIRN_CONSENSUS_ELECTION_TIMEOUT_MS");
  expect(environmentName("p2p.maxPeers")).toBe("CAIRN_P2P_MAX_PEERS");
  expect(new Set(SETTINGS.map(({ name }) => environmentName(name))).size).toBe(SETTINGS.length);
});

test("the nearest name has the fewest edits, and none is better than a far one", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(nearestName("lisen", ["listen", "log"])).toBe("listen");
  expect(nearestName("zzzz", ["listen", "log"])).toBeUndefined();
});
