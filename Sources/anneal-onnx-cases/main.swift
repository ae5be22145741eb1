import Anneal
import Foundation

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch (arguments.first, arguments.count) {
    case ("list", 1...):
        for name in NetworkCase.all.map(\.name) { print(name) }
        for folder in arguments.dropFirst() { for name in try MXNetCase.names(below: folder) { print(name) } }
    case ("make", 3):
        try Files.makeFolder(arguments[2])
        try makeCase(arguments[1], in: arguments[2])
    default:
        print(
            """
            usage: anneal-onnx-cases list [FOLDER ...]  the networks, and MXNet-made cases of operators below folders
                   anneal-onnx-cases make NAME FOLDER   ONNX models with inputs and the outputs to be expected
            """)
        exit(64)
    }
} catch {
    print("anneal-onnx-cases: error: \(error)")
    exit(1)
}
