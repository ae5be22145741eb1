import Anneal
import Foundation

/// A folder with `case.json`: one test case made with MXNet.
struct Case {
    let folder: String
    let engine: CaseEngine
    let json: [String: Any]

    init(folder: String, engine: CaseEngine) throws {
        self.folder = folder
        self.engine = engine
        let data = try Files.read(folder + "/case.json")
        guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw AnnealError(folder + "/case.json", "is not a JSON object")
        }
        self.json = json
    }

    var kind: String { json["kind"] as? String ?? "" }
    func strings(_ key: String) -> [String] { json[key] as? [String] ?? [] }

    var inputShapes: [String: Shape] {
        (json["inputs"] as? [String: [Int]] ?? [:]).mapValues { Shape($0) }
    }

    func symbol(_ name: String = "net-symbol.json") throws -> Symbol { try Symbol.load("\(folder)/\(name)") }

    /// Arrays by name, converted to float32; empty if there is no such file.
    func arrays(_ name: String) throws -> [String: Tensor] {
        guard Files.exists("\(folder)/\(name)") else { return [:] }
        return Dictionary(
            try ParamsFile.read("\(folder)/\(name)").map { ($0.name, $0.tensor()) },
            uniquingKeysWith: { first, _ in first })
    }

    func tolerance(_ key: String?) throws -> Tolerance {
        let all = json["tolerance"] as? [String: Any] ?? [:]
        guard let values = key == nil ? all : all[key ?? ""] as? [String: Any] else {
            throw AnnealError(folder, "case.json has no tolerance \(key ?? "")")
        }
        return Tolerance(json: ["tolerance": values])
    }

    /// Operators of the symbol that Anneal does not define or the engine does not support.
    func unknownOperators(_ file: String = "net-symbol.json") throws -> [String] {
        guard let root = try JSONSerialization.jsonObject(with: Files.read("\(folder)/\(file)")) as? [String: Any],
            let nodes = root["nodes"] as? [[String: Any]]
        else { return [] }
        let operators = Set(nodes.compactMap { $0["op"] as? String }).subtracting(["null"])
        let engine = try engine.make()
        return operators.filter { name in
            OperatorRegistry.type(named: name).map { !$0.isIdentity && !engine.supports($0) } ?? true
        }.sorted()
    }
}
