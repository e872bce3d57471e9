-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 100
-- What tend-run defines; require() finds only the policy library.
read_globals = { "policy", "tend", "json", "re", "time", "html" }
not_globals = {
	"arg", "collectgarbage", "debug", "dofile", "io", "load", "loadfile", "next", "os", "package",
	"print", "warn", "math.random", "math.randomseed", "string.dump", "string.pack",
	"string.packsize", "string.unpack",
}
