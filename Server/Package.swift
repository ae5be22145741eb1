// swift-tools-version: 6.1
import PackageDescription

// A separate package, so that building the tool or the library does not build a web server.
let package = Package(
    name: "anneal-server",
    products: [.executable(name: "anneal-server", targets: ["anneal-server"])],
    dependencies: [
        .package(name: "anneal", path: ".."),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .target(
            name: "AnnealServer",
            dependencies: [
                .product(name: "Anneal", package: "anneal"), .product(name: "FlyingFox", package: "FlyingFox"),
            ]),
        .executableTarget(
            name: "anneal-server",
            dependencies: ["AnnealServer", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        .testTarget(name: "AnnealServerTests", dependencies: ["AnnealServer"]),
    ]
)
