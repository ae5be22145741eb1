import AnnealCore

extension NetworkOptions {
    /// From the arguments of MXNet's `get_symbol`, by name, as JSON holds them.
    package init(arguments: [String: Any]) throws {
        func wrong(_ key: String, _ value: Any) -> AnnealError {
            AnnealError("get_symbol", "the argument \(key) is '\(value)', which is not known")
        }
        guard let numClasses = arguments["num_classes"] as? Int else {
            throw AnnealError("get_symbol", "num_classes is missing")
        }
        self.init(numClasses: numClasses)
        // What get_symbol of mobilenet assumes.
        resolution = 224
        for (key, value) in arguments {
            switch (key, value) {
            case ("num_classes", _): break
            case ("num_layers", let value as Int): numLayers = value
            case ("image_shape", let value as String):
                imageShape = try value.split(separator: ",").map {
                    guard let extent = Int($0.filter { $0 != " " }) else { throw wrong(key, value) }
                    return extent
                }
            case ("num_group", let value as Int): numGroup = value
            case ("conv_workspace", let value as Int): convWorkspace = value
            case ("batch_norm", let value as Bool): batchNorm = value
            case ("alpha", let value as Double), ("multiplier", let value as Double): multiplier = value
            case ("resolution", let value as Int): resolution = value
            case ("add_stn", let value as Bool): addSTN = value
            case ("dtype", let value as String):
                guard let dtype = NetworkDType(rawValue: value) else { throw wrong(key, value) }
                self.dtype = dtype
            default: throw wrong(key, value)
            }
        }
    }
}
