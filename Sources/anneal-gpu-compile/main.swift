import Anneal
import Foundation

let usage = """
    usage: anneal-gpu-compile PLUGIN CONFIGURATION RESULTS GPU train|recompute|score DTYPE NETWORK...
    Compiles networks for a GPU that need not be here, and keeps a line of JSON for each in RESULTS; programs that have one
    already are left out. A NETWORK is NAME, NAME-LAYERS, and @SIZE for images of another size, e.g. resnext-101@28.

    """

func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count > 6, let mode = CompileRun.Mode(rawValue: arguments[4]),
    let precision = ElementType(rawValue: arguments[5])
else {
    say(usage)
    exit(64)
}
do {
    var run = try CompileRun(
        plugin: arguments[0], configuration: arguments[1], results: arguments[2], gpu: arguments[3], mode: mode,
        precision: precision)
    var isGood = true
    for network in arguments[6...] {
        let problems: [String]
        do {
            problems = try run.compile(network)
        } catch {
            // The others are still compiled.
            problems = ["\(error)"]
        }
        for problem in problems { say("\(run.gpu) \(mode.rawValue) \(precision.rawValue) \(network): \(problem)\n") }
        isGood = isGood && problems.isEmpty
    }
    exit(isGood ? 0 : 1)
} catch {
    say("anneal-gpu-compile: error: \(error)\n")
    exit(1)
}
