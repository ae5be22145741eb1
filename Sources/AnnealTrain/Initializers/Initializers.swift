import AnnealCore
import Foundation

/// The initializers by MXNet's names.
public enum Initializers {
    static let types: [any Initializer.Type] = [
        Xavier.self, MSRAPrelu.self, Dirac.self, Uniform.self, Normal.self, Orthogonal.self, Zero.self, One.self,
        Constant.self,
        Bilinear.self, LSTMBias.self,
    ]
    private static let aliases = ["zeros": "zero", "ones": "one", "msra": "msraprelu"]

    /// The names that `make` accepts.
    public static var names: [String] { types.map { $0.name } }

    /// Creates an initializer from MXNet's name (or the one that its scripts use, e.g. `msra`) and keyword arguments.
    public static func make(_ name: String, _ options: NamedOptions = [:]) throws -> any Initializer {
        let key = aliases[name.lowercased()] ?? name.lowercased()
        guard let type = types.first(where: { $0.name == key }) else {
            throw AnnealError(
                "initializer", "'\(name)' is unknown", suggestion: Spelling.suggestion(for: name, among: names),
                code: .notFound)
        }
        var options = options
        options.place = "initializer \(type.name)"
        let initializer = try type.init(options: &options)
        try options.finish()
        return initializer
    }

    /// Creates an initializer from the attribute `__init__`: `["constant", {"value": 2.5}]`.
    public static func make(json: String) throws -> any Initializer {
        guard let list = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [Any],
            let name = list.first as? String,
            list.count <= 2
        else {
            // MXNet also accepts a bare name.
            if json.allSatisfy({ $0.isLetter }) { return try make(json) }
            throw AnnealError("__init__", "is '\(json)'", suggestion: "write it as [\"zero\", {}]")
        }
        let options = list.count == 2 ? list[1] as? [String: Any] : [:]
        guard let options else {
            throw AnnealError("__init__", "is '\(json)'", suggestion: "write it as [\"zero\", {}]")
        }
        return try make(name, try NamedOptions(json: options, of: "initializer \(name)"))
    }

    /// The initializer for `--initializer` in MXNet's scripts. `default` depends on the network: alexnet does not
    /// converge with Xavier, vgg not with a gaussian one, airbench uses its author's choice, all others get Xavier,
    /// gaussian, in, 2.
    public static func fit(_ name: String = "default", network: String?) throws -> any Initializer {
        guard name == "default" else { return try make(name) }
        if network == "alexnet" { return Normal() }
        if network?.contains("vgg") == true { return Xavier() }
        if network == "airbench" { return Dirac() }
        return Xavier(.gaussian, factor: .fanIn, magnitude: 2)
    }
}
