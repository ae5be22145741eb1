import Anneal
import AnnealConformance
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
    case ("list-imports", 2...):
        for folder in arguments.dropFirst() { for item in ImportedCase.all(below: folder) { print(item.path) } }
    case ("import", 3):
        try Files.makeFolder(arguments[2])
        try importCase(arguments[1], in: arguments[2])
    case ("suite", 2...3): try ONNXSuite(arguments[1], part: arguments.dropFirst(2).first).run()
    default:
        print(
            """
            usage: anneal-onnx-cases list [FOLDER ...]       the networks, and MXNet-made cases of operators below folders
                   anneal-onnx-cases make NAME FOLDER        ONNX models with inputs and the outputs to be expected
                   anneal-onnx-cases list-imports FOLDER ... models with an input and output below folders
                   anneal-onnx-cases import MODEL FOLDER     the model as Anneal writes it again, with its outputs
                   anneal-onnx-cases suite FOLDER [PART]     ONNX's own tests below a folder, a table by operator
            """)
        exit(64)
    }
} catch {
    print("anneal-onnx-cases: error: \(error)")
    exit(1)
}
