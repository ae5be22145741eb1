import Anneal
import Foundation

/// Every file that case.json describes: the arrays are as MXNet reads them, or the file is refused.
func checkParameterFiles(folder: String, json: [String: Any]) throws -> CaseOutcome {
    guard let files = json["files"] as? [String: [String: Any]] else { return .failed("case.json lists no files") }
    var problems: [String] = []
    for (name, described) in files.sorted(by: { $0.key < $1.key }) {
        problems += parameterFileProblems("\(folder)/\(name)", described).map { "\(name): \($0)" }
    }
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

private func parameterFileProblems(_ path: String, _ described: [String: Any]) -> [String] {
    let expected = described["arrays"] as? [[String: Any]]
    // Sparse arrays are refused by name; a file without a list of arrays must not load.
    let sparse = expected?.contains { $0["dense_values"] != nil } ?? false
    let arrays: [StoredArray]
    do {
        arrays = try ParamsFile.read(path)
    } catch {
        let reason = "\(error)"
        if sparse {
            return reason.contains("row_sparse") || reason.contains("csr")
                ? [] : ["refused, but not as sparse: \(reason)"]
        }
        return expected == nil ? [] : ["cannot be read: \(reason)"]
    }
    guard let expected, !sparse else { return ["was read, although it must be refused"] }
    guard arrays.count == expected.count else { return ["\(arrays.count) arrays where MXNet has \(expected.count)"] }
    var problems: [String] = []
    for (array, item) in zip(arrays, expected) { problems += arrayProblems(array, item) }
    // Arrays that are read can be written and read again.
    do {
        // A scalar is written as an array of one element, which MXNet can read.
        let writable = arrays.map { array in
            StoredArray(
                name: array.name, dtype: array.dtype, shape: array.shape.isEmpty ? [1] : array.shape, bytes: array.bytes
            )
        }
        if try ParamsFile.decode(ParamsFile.encode(arrays)) != writable {
            problems.append("differs when written and read again")
        }
    } catch {
        problems.append("cannot be read when written again: \(error)")
    }
    return problems
}

private func arrayProblems(_ array: StoredArray, _ item: [String: Any]) -> [String] {
    var problems: [String] = []
    func compare(_ what: String, _ found: String, _ expected: String?) {
        if let expected, found != expected {
            problems.append("\(array.name): \(what) \(found) where MXNet has \(expected)")
        }
    }
    compare("name", array.name, item["name"] as? String)
    compare("type", "\(array.dtype)", item["dtype"] as? String)
    compare("shape", array.shape.description, (item["shape"] as? [Int]).map { Shape($0).description })
    compare("sha256", SHA256.digits(of: array.bytes), item["sha256"] as? String)
    if let first = item["first"] as? [Double] {
        for (value, expected) in zip(array.tensor().elements, first) where value != Float(expected) {
            problems.append("\(array.name): the value \(value) where MXNet has \(expected)")
        }
    }
    return problems
}
