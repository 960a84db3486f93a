"""Networks and neurons: the data of Cadieu et al. 2014, dissimilarity matrices, and how alike they are."""
