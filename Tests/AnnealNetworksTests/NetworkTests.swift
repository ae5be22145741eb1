import AnnealCore
import AnnealGraph
import AnnealNetworks
import Foundation
import Testing

/// Facts counted by hand from the papers and MXNet's rules.
@Suite struct NetworkTests {
    private func count(_ symbol: Symbol, _ operation: String) -> Int {
        symbol.nodes.filter { $0.operation == operation }.count
    }

    private func parameters(_ symbol: Symbol, _ data: Shape) throws -> Int {
        try symbol.inferShapes(["data": data]).variables.filter { !["data", "softmax_label"].contains($0.key) }
            .filter { !$0.key.contains("moving_") }.reduce(0) { $0 + $1.value.count }
    }

    @Test(arguments: [
        ("resnet50", "--network resnet --num-layers 50"), ("ResNet-50", "--network resnet --num-layers 50"),
        ("resnet50_v1", "--network resnet-v1 --num-layers 50"),
        ("resnet-v1-101", "--network resnet-v1 --num-layers 101"),
        ("resnet_v2_18", "--network resnet --num-layers 18"), ("resnext50_32x4d", "--network resnext --num-layers 50"),
        ("vgg16_bn", "--network vgg --num-layers 16"), ("densenet121", "--network densenet --num-layers 121"),
        ("mobilenet_v2", "--network mobilenetv2"), ("inceptionv3", "--network inception-v3"),
        ("squeezenet1_1", "--network squeezenet"), ("alexnett", "--network alexnet"),
    ]) func anUnknownNameIsExplained(_ name: String, _ meant: String) {
        #expect(
            message { _ = try Networks.symbol(name, NetworkOptions(numClasses: 10, imageShape: [3, 28, 28])) }
                .contains("did you mean \(meant)?"))
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch { return "\(error)" }
    }

    @Test(arguments: ["lenet", "mlp", "resnet-20-28", "resnext-20-28", "mobilenet-0.25-64", "alexnet-fp16"])
    func fixtures(_ name: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/networks/\(name)").path
        let json = try #require(try JSONSerialization.jsonObject(with: Files.read(folder + ".json")) as? [String: Any])
        let network = try #require(json["network"] as? String)
        let arguments = try #require(json["get_symbol"] as? [String: Any])
        let built = try Networks.symbol(network, NetworkOptions(arguments: arguments)).json()
        #expect(built == String(decoding: try Files.read(folder + "-symbol.json"), as: UTF8.self))
    }

    @Test func lenetParameters() throws {
        // 20·25+20, 50·20·25+50, 500·800+500, 10·500+10
        #expect(try parameters(lenet(numClasses: 10), [1, 1, 28, 28]) == 520 + 25_050 + 400_500 + 5_010)
    }

    @Test func mlpParameters() throws {
        #expect(try parameters(mlp(numClasses: 10), [1, 1, 28, 28]) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10)
    }

    /// VGG-16 of the paper's table: 138 million, exactly 138,357,544.
    @Test func vggParameters() throws {
        #expect(try parameters(vgg(numClasses: 1000, numLayers: 16), [1, 3, 224, 224]) == 138_357_544)
        #expect(try parameters(vgg(numClasses: 1000, numLayers: 19), [1, 3, 224, 224]) == 143_667_240)
    }

    /// Gluon's counts: 7,978,856 for densenet121, 1,248,424 and 1,235,496 for squeezenet.
    @Test func gluonParameters() throws {
        #expect(try parameters(densenet(numClasses: 1000, numLayers: 121), [1, 3, 224, 224]) == 7_978_856)
        #expect(try parameters(squeezenet(numClasses: 1000, version: .v1_0), [1, 3, 224, 224]) == 1_248_424)
        #expect(try parameters(squeezenet(numClasses: 1000, version: .v1_1), [1, 3, 224, 224]) == 1_235_496)
    }

    /// Bottlenecks have 3 convolutions per unit, the others 2; in addition there are the stem and one shortcut per
    /// stage.
    @Test(arguments: [
        (18, 2 * 8), (34, 2 * 16), (50, 3 * 16), (101, 3 * 33), (152, 3 * 50), (200, 3 * 66), (269, 3 * 89),
    ]) func largeResidualDepths(_ depth: Int, _ inUnits: Int) throws {
        for symbol in [
            try resnet(numClasses: 10, numLayers: depth, imageShape: [3, 224, 224]),
            try resnetV1(numClasses: 10, numLayers: depth, imageShape: [3, 224, 224]),
            try resnext(numClasses: 10, numLayers: depth, imageShape: [3, 224, 224]),
        ] {
            #expect(count(symbol, "Convolution") == 1 + inUnits + 4)
            #expect(try symbol.inferShapes(["data": [1, 3, 224, 224]]).outputs == [[1, 10]])
        }
    }

    @Test(arguments: [(8, 2 * 3), (20, 2 * 9), (110, 2 * 54), (158, 2 * 78), (164, 3 * 54), (1001, 3 * 333)])
    func smallResidualDepths(_ depth: Int, _ inUnits: Int) throws {
        let symbol = try resnext(numClasses: 10, numLayers: depth, imageShape: [3, 28, 28])
        #expect(count(symbol, "Convolution") == 1 + inUnits + 3)
        // Groups only in bottlenecks.
        let groups = symbol.nodes.filter { $0.operation == "Convolution" && $0.attributes["num_group"] == "32" }.count
        #expect(groups == (depth >= 164 ? inUnits / 3 : 0))
    }

    /// resnet's small trunk ends at a height of 28, resnext's at 32; the stem for small images goes up to 32 in both.
    @Test func heightsBetween28And32() throws {
        let resnet = try resnet(numClasses: 10, numLayers: 18, imageShape: [3, 32, 32])
        #expect(count(resnet, "Convolution") == 1 + 16 + 4)
        #expect(resnet.nodes.first { $0.name == "conv0" }?.attributes["kernel"] == "(3, 3)")
        #expect(
            count(try resnext(numClasses: 10, numLayers: 20, imageShape: [3, 32, 32]), "Convolution") == 1 + 18 + 3)
        #expect(
            message { _ = try AnnealNetworks.resnet(numClasses: 10, numLayers: 20, imageShape: [3, 33, 33]) }
                .contains("one of 18, 34, 50, 101, 152, 200, 269"))
    }

    /// MXNet uses the depths for large images above 28 pixels; CIFAR's own size accepts CIFAR's depths too.
    @Test func smallDepthsUpTo32Pixels() throws {
        for build in [AnnealNetworks.resnet, resnetV1] {
            func names(_ numLayers: Int, _ size: Int) throws -> [String] {
                try build(10, numLayers, [3, size, size], .float32, 256).nodes.map(\.name)
            }
            #expect(try names(20, 32) == names(20, 28))
            // 50 is both 6n+2 and one of MXNet's depths: four stages, as in MXNet.
            #expect(try names(50, 32).contains("stage4_unit1_conv1"))
            #expect(try !names(50, 28).contains("stage4_unit1_conv1"))
            #expect(message { _ = try names(21, 32) }.contains("or else 6n+2"))
        }
    }

    /// The article's network: built for large images, fed 28x28.
    @Test func resnext101FedSmallImages() throws {
        let symbol = try resnext(numClasses: 10, numLayers: 101, imageShape: [3, 224, 224])
        let shapes = try symbol.inferShapes(["data": [128, 3, 28, 28]])
        #expect(shapes.outputs == [[128, 10]])
        #expect(shapes.variables["stage4_unit3_conv2_weight"] == [1024, 32, 3, 3])
        #expect(shapes.variables["fc1_weight"] == [10, 2048])
    }

    @Test func errorsNameTheFlagAndTheChoice() {
        func build(_ name: String, _ options: NetworkOptions) -> String {
            message { _ = try Networks.symbol(name, options) }
        }
        let large = NetworkOptions(numClasses: 10, numLayers: 21),
            small = NetworkOptions(numClasses: 10, imageShape: [3, 28, 28], numLayers: 21)
        #expect(build("resnet", large).contains("--num-layers 21"))
        #expect(build("resnet", large).contains("one of 18, 34, 50, 101, 152, 200, 269"))
        #expect(build("resnext", small).contains("6n+2"))
        #expect(build("vgg", large).contains("one of 11, 13, 16, 19"))
        #expect(build("densenet", large).contains("121"))
        #expect(build("resnet", NetworkOptions(numClasses: 10)).contains("--num-layers: is missing"))
        #expect(build("nonet", large).contains("--network nonet"))
        #expect(build("nonet", large).contains("resnext"))
        #expect(build("mlp", NetworkOptions(numClasses: 0)).contains("--num-classes 0"))
        #expect(build("mlp", NetworkOptions(numClasses: 2, imageShape: [28, 28])).contains("--image-shape 28,28"))
        #expect(build("mobilenet", NetworkOptions(numClasses: 2, multiplier: 0.3)).contains("0.25, 0.5, 0.75 or 1"))
        #expect(build("resnext", NetworkOptions(numClasses: 2, numLayers: 50, numGroup: 5)).contains("num_group 5"))
        for depth in [Int.min, -4, 0, 1, 2, 7, Int.max] {
            #expect(
                build("resnext", NetworkOptions(numClasses: 2, imageShape: [3, 28, 28], numLayers: depth)) != "no error"
            )
        }
    }

    /// Every network, in every depth, infers its shapes and is read back as it was written.
    @Test(arguments: Networks.names) func everyNetwork(_ name: String) throws {
        let depths: [Int?]
        switch name {
        case "resnet", "resnet-v1", "resnetv1", "resnext": depths = [18, 50]
        case "vgg": depths = [11, 13, 16, 19]
        case "densenet": depths = [121, 161, 169, 201]
        default: depths = [nil]
        }
        let side = name.hasPrefix("inception-v") || name.hasPrefix("inception-r") ? 299 : 224
        let shape = name == "lenet" || name == "mlp" ? [1, 28, 28] : [3, side, side]
        for depth in depths {
            for dtype in NetworkDType.allCases {
                let options = NetworkOptions(numClasses: 7, imageShape: shape, numLayers: depth, dtype: dtype)
                let symbol = try Networks.symbol(name, options)
                let shapes = try symbol.inferShapes(["data": Shape([2] + shape)])
                #expect(shapes.outputs == [[2, 7]])
                let text = try symbol.json()
                #expect(try Symbol(json: Data(text.utf8)).json() == text)
            }
        }
    }

    @Test func float16CastsDownAndUp() throws {
        let symbol = try resnext(numClasses: 7, numLayers: 50, imageShape: [3, 224, 224], dtype: .float16)
        #expect(
            symbol.nodes.filter { $0.operation == "Cast" }.map { $0.attributes["dtype"] } == ["float16", "float32"])
        let types = try symbol.inferTypes()
        #expect(types["conv0_weight"] == "float16")
        #expect(types["bn_data_gamma"] == "float32")
        #expect(types["bn_data_moving_mean"] == "float32")
        #expect(types["softmax_label"] == "float32")
        #expect(types["data"] == "float32")
    }

    /// Where fine-tuning cuts each network by itself.
    @Test(arguments: [
        ("mlp", "relu2"), ("lenet", "activation2"), ("vgg", "drop7"), ("googlenet", "flatten0"),
        ("mobilenet", "flatten"),
    ])
    func layerBeforeTheHead(_ name: String, _ layer: String) throws {
        let symbol = try Networks.symbol(name, NetworkOptions(numClasses: 7))
        #expect(try symbol.layerBeforeFullc() == layer)
        #expect(try symbol.withNewHead(numClasses: 3, layerBeforeFullc: layer).outputNames() == ["softmax_output"])
    }

    @Test func mobilenetsOfOtherSizes() throws {
        for side in [32, 64, 100, 224, 256] {
            let options = NetworkOptions(numClasses: 7, imageShape: [3, side, side])
            _ = try Networks.symbol("mobilenet", options).inferShapes(["data": [1, 3, side, side]])
        }
        #expect(
            try mobilenetV2(numClasses: 7, multiplier: 1.4).inferShapes(["data": [1, 3, 96, 96]]).outputs == [[1, 7]])
    }
}
