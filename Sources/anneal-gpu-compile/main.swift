import Anneal
import AnnealXLA
import Foundation

let usage = """
    usage: anneal-gpu-compile PLUGIN CONFIGURATION RESULTS GPU train|score DTYPE NETWORK...
    Compiles networks for a GPU that need not be here, and appends a line of JSON for each to RESULTS. What is there already
    is left out. A NETWORK is NAME, NAME-LAYERS, and @SIZE for images of another size, e.g. resnext-101@28.

    """

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count > 6, ["train", "score"].contains(arguments[4]),
    let precision = ElementType(rawValue: arguments[5])
else {
    FileHandle.standardError.write(Data(usage.utf8))
    exit(64)
}
do {
    let run = try CompileRun(
        plugin: arguments[0], configuration: arguments[1], results: arguments[2], gpu: arguments[3],
        isTraining: arguments[4] == "train", precision: precision)
    var isGood = true
    for network in arguments[6...] { isGood = try run.compile(network) && isGood }
    exit(isGood ? 0 : 1)
} catch {
    FileHandle.standardError.write(Data("anneal-gpu-compile: error: \(error)\n".utf8))
    exit(1)
}
