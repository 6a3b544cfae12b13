/*!40101 SET NAMES binary*/;
SET FOREIGN_KEY_CHECKS=0;
INSERT INTO `old` VALUES
(1,'café €'),
(2,'plain');
