import Anneal
import ArgumentParser

struct Recipes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what each recipe of train and fine-tune sets.",
        discussion: """
            anneal train --recipe cifar10-modern --data-train cifar10_train.rec --data-val cifar10_val.rec

            Any other flag overrides what the recipe sets.
            """)

    func run() {
        for recipe in Recipe.all {
            print("\(recipe.name): \(recipe.summary)")
            for flag in recipe.typed { print("    \(flag)") }
            print("")
        }
    }
}
